"""What Weft keeps: the values of the analysis and the stores that hold them."""
