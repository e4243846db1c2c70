"""What becomes of the answered frames of a bag: another bag, a video, pictures, a page, a Rerun recording."""
