"""A Gradio page that paints a photo as anime; all work is done by the package sakuga."""

from functools import lru_cache

import gradio as gr
import numpy as np

import sakuga

STYLES = [style.spec.name for style in sakuga.styles.installed()]
_stylizer = lru_cache(maxsize=2)(sakuga.Stylizer)  # a session keeps memory: the last two styles


def paint(
    photo: np.ndarray | None, style: str, strength: float, keep_colour: bool, stroke: str
) -> np.ndarray:
    """Paint one photo, uint8 (H, W, 3), in its own size; what is wrong is shown on the page."""
    if photo is None:
        raise gr.Error("Choose a photo first.")
    try:
        return _stylizer(style)(photo, strength=strength, keep_colour=keep_colour, stroke=stroke)
    except sakuga.SakugaError as error:
        raise gr.Error(str(error)) from error


app = gr.Interface(
    fn=paint,
    inputs=[
        gr.Image(type="numpy", image_mode="RGB", label="Photo"),
        gr.Dropdown(STYLES, value=sakuga.styles.DEFAULT_STYLE, label="Style"),
        gr.Slider(0, 1, value=1, label="Strength"),
        gr.Checkbox(label="Keep the photo's colours"),
        gr.Radio(["auto", "fine", "bold"], value="auto", label="Strokes"),
    ],
    outputs=gr.Image(type="numpy", format="png", label="Anime"),
    title="Sakuga",
    description="Photos into anime pictures. Uploads and results are deleted within minutes.",
    flagging_mode="never",
    delete_cache=(600, 600),  # seconds: uploads and results go after ten minutes
)

if __name__ == "__main__":
    app.launch()
