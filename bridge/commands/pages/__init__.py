"""What report and web page share: templates, charts, one style sheet, and the sentences in two languages."""
