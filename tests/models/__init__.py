"""The models that ship, beside what their sources say."""
