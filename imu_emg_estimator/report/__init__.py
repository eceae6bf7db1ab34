"""Reports to hand over: each as one self-contained HTML page."""
