"""What the model is asked and how: wordings, styles, and the text of conversations. No Beam."""
