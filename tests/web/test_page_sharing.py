"""What people pass on from the page, and how it feels: sharing, waiting, a phone, undoing."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import clips
import httpx2 as httpx
import numpy as np
from browsing import PHONE, add_photo, download, far, furthest, page, wait_until
from PIL import Image, ImageOps
from serving import Running, picture, pixels_of

import sakuga


def smooth(width: int = 320, height: int = 240) -> bytes:
    """A picture that survives JPEG and H.264: two slopes and a disc."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x / width, 255 * y / height, np.full(x.shape, 90)], axis=2)
    pixels[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (250, 230, 40)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def shared(page: Any, what: str, shape: str) -> tuple[str, bytes]:
    """Choose in the open dialog, and save what is made."""
    page.locator(f'input[name="what"][value="{what}"]').check(force=True)
    if what != "picture":
        page.locator(f'input[name="shape"][value="{shape}"]').check(force=True)
    page.wait_for_selector("#share-save:not([disabled])")
    return download(page, "#share-save")


def test_before_and_after_and_a_wipe_in_every_shape(
    shown: Any, tiny_style: Path, tmp_path: Path
) -> None:
    photo = pixels_of(smooth())
    add_photo(shown, smooth())
    shown.locator('input[name="style"][value="tiny"]').check(force=True)
    shown.wait_for_selector("#download:not([disabled])")
    anime = sakuga.paint(photo, tiny_style)
    assert far(photo, anime) > 10
    shown.click("#share")

    def cut(pixels: Any, size: tuple[int, int]) -> Any:
        return np.asarray(ImageOps.fit(Image.fromarray(pixels), size))

    name, content = shared(shown, "picture", "own")
    assert name == "holiday-tiny.png" and furthest(content, anime) == 0
    for shape, size, beside in (
        ("own", (2160, 810), True),
        ("square", (1080, 1080), False),
        ("portrait", (1080, 1350), False),
        ("tall", (1080, 1920), False),
    ):
        name, content = shared(shown, "pair", shape)
        assert name == "holiday-tiny-before-after.jpg" and content[:3] == b"\xff\xd8\xff"
        pixels = pixels_of(content)
        assert pixels.shape[1::-1] == size
        before, after = np.array_split(pixels, 2, axis=1 if beside else 0)
        part = before.shape[1::-1]
        assert far(before, cut(photo, part)) < 4 and far(after, cut(anime, part)) < 6, shape

    name, content = shared(shown, "mp4", "tall")
    assert name == "holiday-tiny-wipe.mp4"
    (tmp_path / name).write_bytes(content)
    clip = clips.look(tmp_path / name)
    assert len(clip.pictures) == 90
    first, middle, last = (clip.pictures[index] for index in (0, 45, 89))
    assert first.shape == (1920, 1080, 3)
    before, after = cut(photo, (1080, 1920)), cut(anime, (1080, 1920))
    assert far(first, before) < 8 and far(last, after) < 8
    assert far(middle[:, :500], after[:, :500]) < 8 and far(middle[:, 600:], before[:, 600:]) < 8

    name, content = shared(shown, "gif", "square")
    assert name == "holiday-tiny-wipe.gif"
    with Image.open(io.BytesIO(content)) as gif:
        assert gif.size == (480, 480) and gif.info["loop"] == 0
        times = []
        frames = []
        for index in range(gif.n_frames):
            gif.seek(index)
            times.append(gif.info["duration"])
            frames.append(np.asarray(gif.convert("RGB")))
    assert 2900 <= sum(times[:-1]) <= 3100
    before, after = cut(photo, (480, 480)), cut(anime, (480, 480))
    assert far(frames[0], before) < 8 and far(frames[-1], after) < 8
    half = frames[len(frames) // 2]
    assert far(half[:, :200], after[:, :200]) < 8 and far(half[:, 280:], before[:, 280:]) < 8

    # The small name is off until it is asked for.
    unnamed = pixels_of(shared(shown, "pair", "square")[1])
    shown.locator('input[name="name"]').check()
    shown.wait_for_selector("#share-save:not([disabled])")
    named = pixels_of(download(shown, "#share-save")[1])
    changed = np.argwhere(np.abs(named.astype(int) - unnamed).max(axis=2) > 60)
    assert len(changed) > 50 and (changed > 900).all()


def test_share_gives_the_file_to_other_apps_or_to_the_clipboard(
    shown: Any, served: Running
) -> None:
    shown.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served.address)
    add_photo(shown, smooth())
    shown.click("#share")
    shown.wait_for_selector("#share-copy:visible")
    assert shown.locator("#share-send").is_hidden()
    shown.click("#share-copy")
    shown.wait_for_selector("#status:has-text('Copied')", state="attached")
    kinds = shown.evaluate("navigator.clipboard.read().then((items) => items[0].types)")
    assert kinds == ["image/png"]
    shown.click("#share-close")
    shown.evaluate(
        """() => {
            navigator.canShare = ({ files }) => files.length === 1;
            navigator.share = async (what) => { window.given = what; };
        }"""
    )
    shown.click("#share")
    shown.click("#share-send")
    given = shown.evaluate("[given.files[0].name, given.files[0].type, given.files[0].size > 5000]")
    assert re.fullmatch(r"holiday-\w+-before-after\.jpg", given[0]) and given[1:] == [
        "image/jpeg",
        True,
    ]


def test_a_large_photo_is_seen_before_it_is_finished(shown: Any, tiny_style: Path) -> None:
    photo = picture(1600, 1200)
    held: list[Any] = []

    def hold(route: Any) -> None:  # the photo itself; what is small goes on
        size = int(route.request.headers.get("content-length") or 0)
        if len(route.request.post_data_buffer or b"") == len(photo) or size == len(photo):
            held.append(route)
        else:
            route.continue_()

    shown.route("**/api/paint*", hold)
    shown.set_input_files("#files", {"name": "a.png", "mimeType": "image/png", "buffer": photo})
    shown.wait_for_selector("#stage .compare.draft .painted:visible")
    wide = shown.locator("#stage .painted").evaluate(
        "async (i) => { await i.decode(); return i.naturalWidth; }"
    )
    assert wide == 1182  # the size it is painted at, so its lines are as heavy as they will be
    shown.wait_for_selector("#stage .busy:has-text('s left')")
    assert shown.locator("#download").is_disabled()
    shown.click("#cancel")
    shown.wait_for_selector("#stage .busy:has-text('Cancelled')")
    wait_until(shown, "document.querySelectorAll('#styles .unpainted').length === 0")
    widths = shown.locator("#styles img").evaluate_all("all => all.map(i => i.naturalWidth)")
    assert set(widths) == {1182}
    shown.unroute("**/api/paint*")
    assert held
    shown.locator('input[name="style"][value="tiny"]').check(force=True)
    if shown.locator("#retry").is_visible():
        shown.click("#retry")
    shown.wait_for_selector("#download:not([disabled])")
    assert furthest(download(shown)[1], sakuga.paint(pixels_of(photo), tiny_style)) == 0
    shown.locator("#keep").evaluate("s => { s.value = 100; s.dispatchEvent(new Event('input')); }")
    kept = sakuga.paint(pixels_of(photo), tiny_style, keep_colour=True)
    assert furthest(download(shown)[1], kept) <= 3


def test_a_phone_has_styles_share_and_save_at_hand(chromium: Any, served: Running) -> None:
    for scheme in ("light", "dark"):
        with page(chromium, served.address, color_scheme=scheme, **PHONE) as shown:
            with shown.expect_file_chooser() as chooser:
                shown.tap("#photograph")
            taken = {"name": "image.png", "mimeType": "image/png", "buffer": smooth()}
            chooser.value.set_files(taken)
            assert chooser.value.element.get_attribute("capture") == "environment"
            shown.wait_for_selector("#download:not([disabled])")
            for name in ("#styles .style", "#share", "#download", "#stage .compare"):
                box = shown.locator(name).first.bounding_box()
                assert box["y"] >= 0 and box["y"] + box["height"] <= 844, name
            assert shown.locator("#styles .style").first.bounding_box()["width"] >= 150
            shown.tap("#share")
            shown.wait_for_selector("#share-save:not([disabled])")
            box = shown.locator("#share-dialog").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] <= 844


def test_what_was_removed_comes_back_and_a_reload_keeps_all(shown: Any) -> None:
    files = [
        {"name": f"{n}.png", "mimeType": "image/png", "buffer": picture(40 + n, 40)}
        for n in range(3)
    ]

    def names() -> list[str]:
        labels = shown.locator(".strip .pick").evaluate_all("all => all.map(b => b.ariaLabel)")
        return [label.split(",")[0] for label in labels]

    shown.set_input_files("#files", files)
    shown.wait_for_selector("#download:not([disabled])")
    shown.locator(".strip .remove").nth(1).click()
    assert names() == ["0", "2"]
    shown.click("#status button")
    assert names() == ["0", "1", "2"]
    shown.click("#clear")
    shown.wait_for_selector("#empty:visible")
    shown.click("#status button")
    assert names() == ["0", "1", "2"]
    shown.evaluate("document.activeElement.blur()")
    shown.keyboard.press("ArrowLeft")  # from the first to the last
    assert shown.locator('.pick[aria-current="true"]').get_attribute("aria-label") == "2, 3 of 3"
    shown.keyboard.press("?")
    shown.wait_for_selector("#keys-dialog[open]")
    shown.keyboard.press("Escape")
    shown.locator(".strip .remove").nth(0).click()
    shown.reload()
    shown.wait_for_selector("#studio:visible #download:not([disabled])")
    assert names() == ["1", "2"]


def test_what_comes_before_the_storage_answers_stays_in_view(shown: Any) -> None:
    add_photo(shown, picture(40, 40), "old.png")
    shown.context.add_init_script(
        """const open = IDBFactory.prototype.open;
        IDBFactory.prototype.open = function (...name) {
            const asked = {};
            window.answer = () => {
                const real = open.apply(this, name);
                real.onsuccess = () => { asked.result = real.result; asked.onsuccess(); };
            };
            return asked;
        };"""
    )
    shown.reload()
    shown.wait_for_selector("body[data-ready]")
    add_photo(shown, picture(50, 40), "new.png")
    shown.evaluate("window.answer()")
    shown.wait_for_selector('.pick[aria-label="old, 1 of 2"]')
    shown.wait_for_selector('.pick[aria-current="true"][aria-label="new, 2 of 2"]')


def test_without_storage_the_page_paints_all_the_same(shown: Any) -> None:
    shown.context.add_init_script("IDBFactory.prototype.open = () => { throw new Error('none'); }")
    shown.reload()
    shown.wait_for_selector("body[data-ready]")
    add_photo(shown, picture(40, 40))


def test_every_kind_of_file_is_handled_or_named(shown: Any, tmp_path: Path) -> None:
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=3).read_bytes()
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><path d="M0 0h9v9z"/></svg>'
    )
    with Image.open(io.BytesIO(picture(30, 20))) as still:
        turned = still.rotate(180)
        moving = {}
        for kind in ("GIF", "WEBP", "PNG", "AVIF"):
            still.save(buffer := io.BytesIO(), kind, save_all=True, append_images=[turned])
            moving[kind] = buffer.getvalue()
    files = [
        ("bad.png", "image/png", b"not a picture"),
        ("good.png", "image/png", picture(60, 40)),
        ("plan.svg", "image/svg+xml", drawing),
        *((f"{kind}.{kind}", f"image/{kind.lower()}", content) for kind, content in moving.items()),
        ("clip.mp4", "video/mp4", clip),
        ("more.mp4", "video/mp4", clip),
    ]
    given = [{"name": n, "mimeType": kind, "buffer": content} for n, kind, content in files]
    shown.evaluate(
        """() => { window.said = []; new MutationObserver(() =>
            said.push(document.getElementById("status").textContent))
            .observe(document.getElementById("status"), { childList: true }); }"""
    )
    transfer = shown.evaluate_handle(
        """files => { const list = new DataTransfer();
            for (const { name, mimeType, bytes } of files)
                list.items.add(new File([Uint8Array.from(bytes)], name, { type: mimeType }));
            return list; }""",
        [{**one, "bytes": list(one.pop("buffer"))} for one in given],
    )
    shown.dispatch_event("body", "drop", {"dataTransfer": transfer})
    wait_until(shown, "document.querySelectorAll('.strip .state:not([hidden])').length === 1")
    assert shown.locator(".strip .pick").count() == 7
    current = shown.locator('.pick[aria-current="true"]').get_attribute("aria-label")
    assert current == "good, 2 of 7"  # not the first, which is damaged
    said = " ".join(shown.evaluate("said"))
    assert "bad.png: the picture holds text" in said
    for kind in moving:
        assert f"{kind} moves; this page paints its first frame" in said
    assert "One video at a time: clip.mp4 is ready under Video." in said
    assert shown.locator("#video-name").text_content() == "clip.mp4"
    shown.locator(".pick").nth(2).click()
    size = shown.locator("#stage .compare .photo").evaluate(
        "i => [i.naturalWidth, i.naturalHeight]"
    )
    assert size == [1600, 800]


def test_the_manual_asks_the_address_it_was_asked_at(served: Running) -> None:
    assert f"{served.address}api/paint" in httpx.get(f"{served.address}api").text


def test_the_first_picture_is_what_the_default_style_paints() -> None:
    """If it fails, weights changed: run  python web/pictures.py"""
    root = Path(__file__).parents[2]
    shown = pixels_of((root / "src/sakuga/web/page/hero.jpg").read_bytes())
    with Image.open(root / "examples/landscape_picos.jpg") as image:
        photo = np.asarray(ImageOps.fit(image.convert("RGB"), shown.shape[1::-1]))
    right = slice(shown.shape[1] // 2 + 2, None)
    painted = sakuga.paint(photo)
    assert far(shown[:, right], painted[:, right]) < 3 < far(shown[:, right], photo[:, right])
