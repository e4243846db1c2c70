"""Numbers for a paper or a regression test: fusion metrics and segmentation scores, each with its convention named."""
