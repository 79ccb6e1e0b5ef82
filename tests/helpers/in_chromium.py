"""A headless Chromium that opens pages for tests, with a theme and a width, and tells what they requested."""

import json
import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
NEEDS_CHROMIUM = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver: apt-get install chromium chromium-driver"
)
DESKTOP, PHONE = 1280, 390  # pixels


@pytest.fixture(scope="module")
def chromium():
    """The driver of a Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def look(chromium, address, theme="light", width=DESKTOP):
    """Open a page; what earlier pages logged is forgotten."""
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    set_theme(chromium, theme)
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    chromium.get(address)


def set_theme(chromium, theme):
    features = [{"name": "prefers-color-scheme", "value": theme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def requested(chromium):
    """Return the addresses that were requested since the page was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    return {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}


def colours(chromium, selector="body"):
    """Return the colours of the background and the text of an element."""
    script = "const s = getComputedStyle(document.querySelector(arguments[0])); return [s.backgroundColor, s.color]"
    return chromium.execute_script(script, selector)
