"""The page, in a real browser, as people use it."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from pathlib import Path
from typing import Any

import clips
import httpx2 as httpx
import pytest
from browsing import (
    DESK,
    PHONE,
    add_photo,
    download,
    far,
    faults_of,
    furthest,
    launch,
    page,
    set_slider,
    wait_until,
)
from serving import Running, picture, pixels_of, running

import sakuga


def choose_style(page: Any, name: str) -> None:
    page.locator(f'input[name="style"][value="{name}"]').check(force=True)


def test_a_dropped_photo_is_painted_and_saved(shown: Any, tiny_style: Path) -> None:
    photo = picture(120, 90)
    files = shown.evaluate_handle(
        """bytes => {
            const list = new DataTransfer();
            list.items.add(new File([Uint8Array.from(bytes)], "my cat.png", { type: "image/png" }));
            return list;
        }""",
        list(photo),
    )
    for event in ("dragenter", "dragover", "drop"):
        shown.dispatch_event("body", event, {"dataTransfer": files})
    choose_style(shown, "tiny")
    shown.wait_for_selector("#download:not([disabled])")
    name, content = download(shown)
    assert name == "my cat-tiny.png"
    assert furthest(content, sakuga.paint(pixels_of(photo), tiny_style)) == 0
    assert shown.locator("body.dragging").count() == 0


def test_the_divider_uncovers_the_photo(shown: Any) -> None:
    add_photo(shown, picture(200, 150))
    box = shown.locator("#stage .compare").bounding_box()
    middle = box["y"] + box["height"] / 2
    for share in (0.5, 0.2):
        shown.mouse.move(box["x"] + box["width"] * 0.5, middle)
        shown.mouse.down()
        shown.mouse.move(box["x"] + box["width"] * share, middle, steps=4)
        shown.mouse.up()
        clip = shown.locator("#stage .painted-side").evaluate("side => side.style.clipPath")
        left = float(clip.removeprefix("inset(0px 0px 0px ").removesuffix("px)"))
        assert left == pytest.approx(box["width"] * share, abs=box["width"] * 0.03)
    left_of_it = {"x": box["x"] + 8, "y": middle, "width": 4, "height": 4}
    photo = pixels_of(shown.screenshot(clip=left_of_it))
    set_slider(shown, "#stage .split", 0)
    painted = pixels_of(shown.screenshot(clip=left_of_it))
    assert (photo != painted).any()


def test_strength_and_colour_are_blended_as_python_does(
    shown: Any, served: Running, tiny_style: Path
) -> None:
    photo = picture(133, 561)  # higher than a strip of the blur, and sides that the style pads
    add_photo(shown, photo)
    choose_style(shown, "tiny")
    shown.wait_for_selector("#download:not([disabled])")
    wait_until(shown, "document.querySelectorAll('#styles .unpainted').length === 0")
    before = httpx.get(f"{served.address}metrics").text
    pixels = pixels_of(photo)
    began = time.monotonic()
    set_slider(shown, "#strength", 40)
    assert shown.locator("#stage .painted-side").evaluate("side => side.style.opacity") == "0.4"
    assert time.monotonic() - began < 2
    _, content = download(shown)
    assert furthest(content, sakuga.paint(pixels, tiny_style, strength=0.4)) <= 1
    set_slider(shown, "#strength", 100)
    set_slider(shown, "#keep", 100)
    _, content = download(shown)
    assert furthest(content, sakuga.paint(pixels, tiny_style, keep_colour=True)) <= 2
    shown.select_option("#format", "webp")
    assert download(shown)[1][8:12] == b"WEBP"
    painted = 'route="/api/paint",status="200"'
    after = httpx.get(f"{served.address}metrics").text
    count = [line for text in (before, after) for line in text.splitlines() if painted in line]
    assert count[0] == count[1]  # blending asks for nothing


def test_styles_are_thumbnails_of_the_photo_and_can_be_switched(
    shown: Any, tiny_style: Path, whole_style: Path
) -> None:
    photo = picture(96, 64)
    add_photo(shown, photo)
    wait_until(shown, "document.querySelectorAll('#styles .unpainted').length === 0")
    wait_until(shown, "[...document.querySelectorAll('#styles img')].every(i => i.complete)")
    sizes = shown.locator("#styles img").evaluate_all("all => all.map(i => i.naturalWidth)")
    assert sizes == [96] * shown.locator("#styles .style").count()
    for name, style in (("whole", whole_style), ("tiny", tiny_style)):
        choose_style(shown, name)
        shown.wait_for_selector("#download:not([disabled])")
        saved, content = download(shown)
        assert saved == f"holiday-{name}.png"
        assert furthest(content, sakuga.paint(pixels_of(photo), style)) == 0


def test_several_pictures_are_saved_as_a_zip(shown: Any) -> None:
    files = [
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(40 + 10 * n, 40)}
        for n in range(3)
    ]
    shown.set_input_files("#files", files)
    wait_until(shown, "document.querySelectorAll('.strip .state:not([hidden])').length === 0")
    name, content = download(shown, "#download-all")
    assert name == "sakuga.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == 3
        assert [pixels_of(archive.read(name)).shape[1] for name in names] == [40, 50, 60]
    shown.locator(".strip .remove").first.click()
    assert shown.locator(".strip .pick").count() == 2


def test_what_is_no_picture_is_told(shown: Any) -> None:
    shown.set_input_files(
        "#files", {"name": "a.png", "mimeType": "image/png", "buffer": b"not a picture"}
    )
    shown.wait_for_selector("#status:has-text('holds text')")
    assert shown.locator(".strip .state").inner_text() == "failed"
    shown.evaluate("() => { Blob.prototype.arrayBuffer = () => Promise.reject(); }")
    shown.set_input_files("#files", {"name": "b", "mimeType": "", "buffer": b""})
    shown.wait_for_selector("#status:has-text('if it is a folder')")


def test_zoom(shown: Any) -> None:
    add_photo(shown, picture(2400, 900))
    box = shown.locator("#stage .viewport").bounding_box()

    def layers() -> dict[str, float]:
        return dict(shown.locator("#stage .layers").bounding_box())

    def covers() -> bool:
        now = layers()
        return (
            now["x"] <= box["x"] + 0.5
            and now["y"] <= box["y"] + 0.5
            and now["x"] + now["width"] >= box["x"] + box["width"] - 0.5
            and now["y"] + now["height"] >= box["y"] + box["height"] - 0.5
        )

    shown.click("#stage .zoom")
    assert layers()["width"] == pytest.approx(2400, abs=0.5)
    middle = layers()["x"] + 1200
    assert middle == pytest.approx(box["x"] + box["width"] / 2, abs=1)
    right, top = box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.3
    shown.mouse.move(right, top)
    shown.mouse.down()
    shown.mouse.move(right - 100, top - 30, steps=3)
    shown.mouse.up()
    assert layers()["x"] + 1200 == pytest.approx(middle - 100, abs=1)
    shown.mouse.move(right, top)
    shown.mouse.down()
    shown.mouse.move(right - 5000, top - 5000, steps=3)
    shown.mouse.up()
    assert covers()
    shown.mouse.move(right, top)
    shown.mouse.wheel(0, 5000)
    wait_until(shown, "document.querySelector('.compare.zoomed') === null")
    assert layers() == pytest.approx(box, abs=0.5)  # never smaller than its frame
    shown.mouse.dblclick(right, top)
    wait_until(shown, "document.querySelector('.compare.zoomed') !== null")
    assert covers()
    add_photo(shown, picture(300, 200), "next.png")
    assert shown.locator("#stage .compare.zoomed").count() == 0  # another picture begins whole
    shown.mouse.move(right, top)
    shown.mouse.wheel(0, -300)
    wait_until(shown, "document.querySelector('.compare.zoomed') !== null")


def test_all_of_it_by_keyboard(shown: Any) -> None:
    # Whoever asks for file choosers only when one is about to come may be too late for it.
    shown.on("filechooser", lambda _: None)
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.className") == "skip"
    reached = []
    for _ in range(8):
        shown.keyboard.press("Tab")
        reached.append(shown.evaluate("document.activeElement.id"))
        if reached[-1] == "choose":
            break
    assert reached[-1] == "choose"
    with shown.expect_file_chooser() as chooser:
        shown.keyboard.press("Enter")
    photo = {"name": "k.png", "mimeType": "image/png", "buffer": picture(80, 60)}
    chooser.value.set_files(photo)
    shown.wait_for_selector("#download:not([disabled])")
    shown.focus("#stage .split")
    before = shown.locator("#stage .split").input_value()
    for _ in range(3):
        shown.keyboard.press("ArrowRight")
    assert int(shown.locator("#stage .split").input_value()) == int(before) + 3
    seen = {}
    for _ in range(14):
        shown.keyboard.press("Tab")
        name = shown.evaluate("document.activeElement.id || document.activeElement.name")
        seen[name] = shown.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert {"style", "strength", "keep", "format", "download", "add"} <= set(seen)
    shown.focus("#strength")
    shown.keyboard.press("Home")
    assert shown.locator("#strength-value").inner_text() == "0 %"
    shown.focus('input[name="style"]:checked')
    checked = shown.locator('input[name="style"]:checked').input_value()
    shown.keyboard.press("ArrowDown")
    assert shown.locator('input[name="style"]:checked').input_value() != checked
    shown.wait_for_selector("#download:not([disabled])")
    with shown.expect_download():
        shown.focus("#download")
        shown.keyboard.press("Enter")


def choose_video(page: Any, clip: Path) -> None:
    """Choose a video, and wait until one of its frames is painted in every style."""
    page.set_input_files("#video-file", clip)
    wait_until(page, "document.querySelectorAll('#video-styles .unpainted').length === 0")
    page.wait_for_selector("#video-frame .compare:not(.waiting)")


def pixels_in(page: Any, selector: str) -> Any:
    """The pixels of an image of the page; one that is replaced meanwhile is waited for."""
    address = page.locator(selector).evaluate(
        """async (image) => {
            for (let tries = 0; ; tries++) {
                try {
                    await image.decode();
                    break;
                } catch (replaced) {
                    if (tries === 20) throw replaced;
                    await new Promise((later) => setTimeout(later, 100));
                }
            }
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL();
        }"""
    )
    return pixels_of(base64.b64decode(address.split(",")[1]))


def test_a_video_is_seen_in_every_style_cut_painted_and_watched(
    shown: Any, tiny_style: Path, tmp_path: Path
) -> None:
    clip = clips.make_clip(tmp_path / "beach.day.mp4", frames=50, sounds=[clips.Sound()])
    frames = clips.look(clip).pictures
    shown.click("nav a[href='#video']")
    choose_video(shown, clip)

    # The tiles and the stage show a frame of the clip itself, painted by the styles.
    set_slider(shown, "#video-start", 500)
    shown.dispatch_event("#video-start", "change")
    middle = frames[25]
    until = time.monotonic() + 30
    while far(seen := pixels_in(shown, "#video-frame .photo"), middle) > 6:
        assert time.monotonic() < until
        time.sleep(0.1)
    wait_until(shown, "document.querySelectorAll('#video-styles .unpainted').length === 0")
    tile = pixels_in(shown, '#video-styles label:has(input[value="tiny"]) img')
    assert (tile == sakuga.paint(seen, tiny_style)).all()
    shown.locator('input[name="video-style"][value="tiny"]').check(force=True)
    set_slider(shown, "#video-strength", 40)
    opacity = "side => side.style.opacity"
    assert shown.locator("#video-frame .painted-side").evaluate(opacity) == "0.4"
    set_slider(shown, "#video-stop", 800)
    assert shown.inner_text("#video-stop-value") == "0:01.6"
    set_slider(shown, "#video-strength", 0)

    shown.click("#video-form button[type=submit]")
    shown.wait_for_selector("#job-download:visible")
    assert shown.inner_text("#job-title") == "Done"
    shown.click("#job-back")  # the result would be lost, which is said first
    assert "not saved, and would be lost" in shown.inner_text("#status")
    shown.set_input_files("#video-file", clip)
    shown.wait_for_selector("#status button:has-text('Let it go')")
    assert shown.locator("#job-download").is_visible()
    name, content = download(shown, "#job-download")
    assert name == "beach.day-tiny.mp4"
    (tmp_path / name).write_bytes(content)
    part = clips.look(tmp_path / name).pictures
    assert len(part) == 15  # from 1 s to 1.6 s; of no strength, so they are those of the clip
    assert far(part[0], middle) < 6

    # Before and after play in step, under a divider or side by side.
    wait_until(shown, "document.querySelector('#video-watch .painted').readyState >= 2")
    set_slider(shown, ".seek", 500)
    times = "[...document.querySelectorAll('#video-watch video')].map((v) => v.currentTime)"
    wait_until(shown, f"{times}.every((t) => t > 0.2)")
    wait_until(shown, f"(([clip, anime]) => Math.abs(clip - anime - 1) < 0.05)({times})")
    shown.click(".play")
    wait_until(shown, "document.querySelector('#video-watch .painted').ended")
    left, right = (
        shown.locator(f"#video-watch .{side}").bounding_box() for side in ("photo", "painted")
    )
    assert left == right
    shown.click("#video-watch .sides")
    left, right = (
        shown.locator(f"#video-watch .{side}").bounding_box() for side in ("photo", "painted")
    )
    assert right["x"] == pytest.approx(left["x"] + left["width"], abs=1)
    assert left["width"] == pytest.approx(right["width"], abs=1)
    shown.click("#job-back")
    assert shown.locator("#video-form").is_visible() and shown.locator("#video-part").is_visible()


def test_what_becomes_of_a_video_is_told_plainly(shown: Any, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    shown.click("nav a[href='#video']")
    shown.set_input_files("#video-file", tmp_path / "clip.mp4")
    shown.wait_for_selector("#status:has-text('cannot show this video')")
    shown.click("#video-form button[type=submit]")
    shown.wait_for_selector("#job-back:visible")
    assert shown.inner_text("#job-title") == "Not painted"
    assert "video holds text" in shown.inner_text("#job-state")
    assert shown.locator("#job-progress").is_hidden()


def test_a_video_can_be_cancelled(shown: Any, served: Running, tmp_path: Path) -> None:
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=3000)
    shown.goto(f"{served.address}#video")
    choose_video(shown, clip)
    shown.click("#video-form button[type=submit]")
    shown.wait_for_selector("#job-state:has-text(' left')")
    assert shown.locator("#job-progress").get_attribute("value") is not None
    leave = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert not shown.evaluate(leave)  # the browser asks
    shown.click("#job-cancel")
    assert shown.inner_text("#job-title") == "Cancelled"
    assert shown.evaluate(leave)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if "sakuga_videos_waiting 0" in httpx.get(f"{served.address}metrics").text:
            break
        time.sleep(0.1)
    assert served.left_behind() == []


def test_the_camera_is_painted_live(shown: Any) -> None:
    shown.click("nav a[href='#camera']")
    shown.click("#camera-start")
    shown.wait_for_selector("#camera-fps:has-text('fps')")
    look = "document.getElementById('camera-canvas').toDataURL()"
    first = shown.evaluate(look)
    wait_until(shown, f"{look} !== {first!r}")
    shown.click("#camera-snap")
    shown.wait_for_selector("#pictures:visible #download:not([disabled])")
    assert shown.locator("#camera-start").inner_text() == "Start the camera"
    assert shown.evaluate("document.getElementById('camera-video').srcObject") is None


def test_a_phone_shows_it_without_sideways_scrolling(
    chromium: Any, served: Running, tmp_path: Path
) -> None:
    with page(chromium, served.address, **PHONE) as shown:
        add_photo(shown, picture(300, 200))
        for part in ("pictures", "video", "camera"):
            shown.tap(f"nav a[href='#{part}']")
            shown.wait_for_selector(f"#{part}:visible")
            width = shown.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, part
        too_small = shown.evaluate(
            """[...document.querySelectorAll("nav a, main button, main select")]
                .filter(e => e.offsetParent && e.getBoundingClientRect().height < 24)
                .map(e => e.outerHTML)"""
        )
        assert too_small == []
        shown.set_viewport_size({"width": 360, "height": 740})
        for part in ("pictures", "video"):
            shown.tap(f"nav a[href='#{part}']")
            if part == "video":
                choose_video(shown, clips.make_clip(tmp_path / "clip.mp4", frames=3))
            sticking_out = shown.evaluate(
                """[...document.querySelectorAll("nav a, .panel *")]
                    .filter(e => e.offsetParent && !e.closest(".dock"))
                    .filter(e => e.getBoundingClientRect().right
                        > e.closest("nav, .panel").getBoundingClientRect().right)
                    .map(e => e.outerHTML)"""
            )
            assert sticking_out == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_anywhere(
    chromium: Any, served: Running, tmp_path: Path, screen: dict[str, Any], scheme: str
) -> None:
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=4)
    look: dict[str, Any] = {"color_scheme": scheme, "bypass_csp": True, **screen}
    found = {}
    with page(chromium, served.address, **look) as shown:
        found["empty"] = faults_of(shown)
        add_photo(shown, picture(200, 150))
        shown.click("#stage .sides")
        found["studio"] = faults_of(shown)
        shown.click("#share")
        shown.wait_for_selector("#share-save:not([disabled])")
        found["share"] = faults_of(shown)
        shown.click("#share-close")
        for dialog in ("keys-dialog", "login"):
            shown.evaluate(f"document.getElementById('{dialog}').showModal()")
            found[dialog] = faults_of(shown)
            shown.evaluate(f"document.getElementById('{dialog}').close()")
        shown.click("nav a[href='#video']")
        found["no video"] = faults_of(shown)
        choose_video(shown, clip)
        found["video chosen"] = faults_of(shown)
        shown.click("#video-form button[type=submit]")
        shown.wait_for_selector("#job-download:visible")
        found["video painted"] = faults_of(shown)
        shown.click("nav a[href='#camera']")
        found["camera"] = faults_of(shown)
    with page(chromium, f"{served.address}design", **look) as shown:
        wait_until(shown, "document.querySelectorAll('[data-painted]').length === 2")
        found["design"] = faults_of(shown)
    context = chromium.new_context(**look)
    manual = context.new_page()
    manual.goto(f"{served.address}api")
    found["manual"] = faults_of(manual)
    context.close()
    assert {part: faults for part, faults in found.items() if faults} == {}


def test_a_video_by_keyboard_alone(shown: Any, tmp_path: Path) -> None:
    clip = clips.make_clip(tmp_path / "clip.mp4", frames=20)
    # Whoever asks for file choosers only when one is about to come may be too late for it.
    shown.on("filechooser", lambda _: None)
    shown.focus("nav a[href='#video']")
    shown.keyboard.press("Enter")
    press_until(shown, "video-choose")
    with shown.expect_file_chooser() as chooser:
        shown.keyboard.press("Enter")
    chooser.value.set_files(clip)
    shown.wait_for_selector("#video-frame .compare:not(.waiting)")
    press_until(shown, "video-stop")
    for key in ("Home", "PageUp", "PageUp"):
        shown.keyboard.press(key)
    assert shown.inner_text("#video-stop-value") == "0:00.2"
    press_until(shown, "video-style")
    style = shown.evaluate("document.activeElement.value")
    shown.keyboard.press("ArrowDown")
    assert shown.evaluate("document.activeElement.value") != style
    press_until(shown, "", "Paint the video")
    shown.keyboard.press("Enter")
    assert shown.evaluate("document.activeElement.id") == "job-title"
    shown.wait_for_selector("#job-download:visible")
    press_until(shown, "job-download")
    with shown.expect_download():
        shown.keyboard.press("Enter")
    shown.focus(".play")
    shown.keyboard.press("Enter")
    wait_until(shown, "document.querySelector('#video-watch .painted').ended")
    assert shown.inner_text(".play") == "Play"


def press_until(page: Any, name: str, text: str = "") -> None:
    """Press Tab until what has that id or name, and begins with that text, has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        focused, says = page.evaluate(
            "(({ id, name, innerText }) => [id || name || '', innerText])(document.activeElement)"
        )
        if focused == name and says.startswith(text):
            return
    raise AssertionError(f"Tab never came to {name or text}")


def test_a_token_lets_the_page_in(
    chromium: Any, tmp_path: Path, two_styles: Path, tiny_style: Path
) -> None:
    token = "correct-horse-battery"
    with running(
        tmp_path, two_styles, "--host", "0.0.0.0", "--port", "0", "--token", token
    ) as server:
        address = server.address.split("#")[0]
        with page(chromium, server.address) as shown:  # as printed, with the token
            assert "token" not in shown.url
            add_photo(shown, picture())
        context = chromium.new_context()
        shown = context.new_page()
        for name in ("design", ""):
            shown.goto(f"{address}{name}")
            shown.wait_for_selector("#login[open]")
        for typed, goes_in in (("wrong", False), (token, True)):
            shown.fill("#token", typed)
            shown.keyboard.press("Enter")
            if goes_in:
                shown.wait_for_selector("body[data-ready]")
            else:
                shown.wait_for_selector("#login-error:has-text('not the token')")
        context.close()


def test_nothing_is_asked_of_other_hosts(chromium: Any, served: Running) -> None:
    hosts = set()
    context = chromium.new_context()
    context.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    shown = context.new_page()
    shown.goto(served.address)
    shown.wait_for_selector("body[data-ready]")
    add_photo(shown, picture())
    context.close()
    own = f"127.0.0.1:{served.port}"
    assert {host for host in hosts if not host.startswith(own)} == set()


def test_what_failed_once_can_be_painted_after_all(shown: Any) -> None:
    """A busy server, a bad line: neither the picture nor its other styles are lost for good."""
    broken = {"status": 500, "json": {"error": "no luck today"}}
    shown.route("**/api/paint*", lambda route: route.fulfill(**broken))
    photo = {"name": "a.png", "mimeType": "image/png", "buffer": picture()}
    shown.set_input_files("#files", photo)
    shown.wait_for_selector("#stage .busy:has-text('no luck today')")
    shown.route("**/api/paint*", lambda route: route.abort())
    shown.click("#retry")
    shown.wait_for_selector("#stage .busy:has-text('the server does not answer')")
    assert shown.locator(".strip .state").inner_text() == "failed"
    first = shown.locator('input[name="style"]:checked').get_attribute("value")
    shown.unroute("**/api/paint*")
    choose_style(shown, "whole")
    shown.wait_for_selector("#download:not([disabled])")
    assert shown.locator("#retry").is_hidden()
    choose_style(shown, first)
    shown.click("#retry")
    shown.wait_for_selector("#download:not([disabled])")
    assert shown.locator("#retry").is_hidden()


def test_the_camera_starts_once_and_never_hidden(shown: Any) -> None:
    shown.evaluate(
        """() => {
          const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          window.given = [];
          navigator.mediaDevices.getUserMedia = async (wanted) => {
            const stream = await real(wanted);
            window.given.push(stream);
            await new Promise((resolve) => (window.grant = resolve));
            return stream;
          };
        }"""
    )
    shown.click("nav a[href='#camera']")
    shown.dblclick("#camera-start")
    wait_until(shown, "window.given.length > 0")
    shown.click("nav a[href='#pictures']")
    shown.evaluate("window.grant()")
    wait_until(
        shown, "window.given.every((s) => s.getTracks().every((t) => t.readyState === 'ended'))"
    )
    assert shown.evaluate("window.given.length") == 1
    assert shown.evaluate("document.getElementById('camera-video').srcObject") is None
    assert shown.locator("#camera-start").inner_text() == "Start the camera"
    shown.click("nav a[href='#camera']")
    shown.click("#camera-start")
    wait_until(shown, "window.given.length === 2")
    shown.evaluate("window.grant()")
    shown.wait_for_selector("#camera-fps:has-text('fps')")


def test_the_camera_can_be_switched_where_there_are_several(chromium: Any, served: Running) -> None:
    several = "--use-fake-device-for-media-stream=device-count=2"
    video = "document.getElementById('camera-video')"
    seen = f"{video}.srcObject?.getVideoTracks()[0].getSettings().deviceId"
    with (
        launch(chromium.browser_type, several) as launched,
        page(launched, served.address) as shown,
    ):
        shown.click("nav a[href='#camera']")
        assert shown.locator("#camera-switch").is_hidden()
        shown.click("#camera-start")
        shown.wait_for_selector("#camera-switch:visible")
        first = shown.evaluate(seen)
        shown.click("#camera-switch")
        wait_until(shown, f"({seen} ?? {first!r}) !== {first!r}")
        shown.wait_for_selector("#camera-fps:has-text('fps')")
        shown.click("#camera-switch")
        wait_until(shown, f"{seen} === {first!r}")
