"""GANs at work, for the page: games that are played live, and generators that samples are drawn from. No Gradio."""
