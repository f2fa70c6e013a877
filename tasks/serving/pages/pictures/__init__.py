"""Small pictures of a forecast: their geometry, which templates draw as SVG, so that they need no script."""
