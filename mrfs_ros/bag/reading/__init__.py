"""Reading of bags: topics found, messages decoded or salvaged, images paired by their stamps."""
