"""What a click costs: a photo of common size through the small prompt model that comes with the package."""

import cv2
from skimage.data import chelsea
from timing import Row, time_in_turns

from petseg_utils.prompts.shipped import load_prompter


def measure() -> list[Row]:
    """A photo of 500 x 375 pixels; each click is a new one, so that none is remembered."""
    photo = cv2.resize(chelsea(), (500, 375), interpolation=cv2.INTER_AREA)
    prompter = load_prompter(device="cpu")
    prompter.set_image(photo)
    places = iter((x % 500, x // 7 % 375) for x in range(1, 10**6, 13))
    first = next(places)
    prompter.predict([first], [1])
    ways = {
        "photo": lambda: prompter.set_image(photo),
        "first click": lambda: prompter.predict([next(places)], [1]),
        "correction": lambda: prompter.predict([first, next(places)], [1, 0]),
    }
    timings = time_in_turns(ways)

    def each(way: str) -> str:
        return f"{timings.median(way) * 1e3:.1f} ms"

    about = "prompt-mini, photo of 500 x 375 px"
    return [Row(f"a click ({about})", each("first click"), f"encoding the photo, {each('photo')}",
                timings.ratio("photo", "first click")),
            Row(f"a correcting click ({about})", each("correction"), f"a first click, {each('first click')}",
                timings.ratio("first click", "correction"))]
