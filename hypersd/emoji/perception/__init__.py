"""Instance segmentation of the embedded family's scenes, for the visual-perception loss."""
