"""Drawings of the dashboard: SVG made from structs by pure functions.

The Content-Security-Policy of the pages allows no inline style, so geometry stands in SVG attributes, and colours and
patterns come from classes (static/drawings.css). Each drawing brings its facts as text too: a visually hidden table, or
a label.
"""
