"""What all studies show: pages from `templates`, `plots`, and the demo's `report`."""
