"""Speed and footprint, measured side by side in one run and quoted as ratios or against a stated bound."""
