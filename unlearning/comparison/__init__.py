"""Methods of unlearning side by side: from a plan to a page."""
