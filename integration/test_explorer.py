"""The page to explore topics in, in a real browser: Chromium, driven by Selenium, offline."""

import json
import shutil
import time
from itertools import combinations

import numpy as np
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.plotting import explore, map_documents

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
)
N_POSTS, N_DOCUMENTS = 800, 20_000

pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None,
    reason="no Chromium with its chromedriver; continuous integration installs both",
)


@pytest.fixture(scope="module")
def posts(news):
    cut = ("documents", "embeddings", "classes", "timestamps")
    return news._replace(**{name: getattr(news, name)[:N_POSTS] for name in cut})


@pytest.fixture(scope="module")
def fitted(posts, news_sae):
    return SAETopicModel(16, sae=news_sae).fit(posts.documents, embeddings=posts.embeddings)


@pytest.fixture(scope="module")
def hostile(posts):
    return [HOSTILE, *posts.documents[1:]]


@pytest.fixture(scope="module")
def page(fitted, posts, hostile, tmp_path_factory):
    years = [stamp[:4] for stamp in posts.timestamps]
    return explore(
        fitted,
        hostile,
        tmp_path_factory.mktemp("explorer") / "topics.html",
        positions=map_documents(posts.embeddings, method="tsne"),
        groups=posts.classes,
        times=years,
        title=HOSTILE,
    )


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.add_argument("--window-size=1400,900")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")  # no network
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    browser.set_window_size(1400, 900)
    browser.get(page.as_uri())
    wait(lambda: ready(browser))
    yield browser
    problems = [e for e in browser.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    assert problems == []


def ready(browser):
    return browser.find_element("tag name", "body").get_attribute("data-ready") == "true"


def wait(condition, seconds=20):
    from selenium.common.exceptions import StaleElementReferenceException

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except StaleElementReferenceException:  # the panel was just written anew
            pass
        time.sleep(0.05)
    pytest.fail("it did not come")


def one(browser, selector):
    return browser.find_element("css selector", selector)


def every(browser, selector):
    return browser.find_elements("css selector", selector)


def shown(browser):
    return int(one(browser, "#map").get_attribute("data-shown") or -1)


def status(browser):
    return one(browser, "#status").text


def test_it_opens_with_the_coarse_topics(opened, posts):
    assert len(every(opened, "button.topic")) == 4
    shares = [float(each.text.rstrip(" %")) for each in every(opened, "button.topic .share")]
    assert shares == sorted(shares, reverse=True)
    assert one(opened, "#level-text").text == "4 topics"
    wait(lambda: shown(opened) == len(posts.documents))
    assert int(one(opened, "#map").get_attribute("data-labels")) >= 3
    painted = "const c = document.getElementById('map'), d = c.getContext('2d')"
    painted += ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
    painted += "for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n;"
    assert opened.execute_script(painted) > 5000


def test_search_filters_documents_and_topics(opened, hostile, fitted):
    word = fitted.get_topics(1)[0][0]
    one(opened, "#search").send_keys(word)
    matching = sum(word in text[:4000].lower() for text in hostile)  # texts are shortened
    wait(lambda: status(opened).startswith(f"{matching:,} of "))
    wait(lambda: shown(opened) == matching)
    assert every(opened, "button.topic")
    assert len(every(opened, "button.document")) == min(matching, 60)
    one(opened, "#search").clear()
    one(opened, "#search").send_keys("zxqy no such words")
    wait(lambda: status(opened).startswith("0 of "))
    assert shown(opened) == 0


def test_labels_grow_finer_on_zooming(opened):
    wait(lambda: one(opened, "#map").get_attribute("data-label-level") == "0")
    one(opened, "#zoom-in").click()
    one(opened, "#zoom-in").click()
    wait(lambda: one(opened, "#map").get_attribute("data-label-level") == "1")
    one(opened, "#zoom-all").click()
    wait(lambda: one(opened, "#map").get_attribute("data-label-level") == "0")


def test_a_topic_shows_its_documents_and_a_document_its_mixture(opened, fitted, posts):
    from selenium.webdriver.common.keys import Keys

    one(opened, "#level").send_keys(Keys.ARROW_RIGHT)  # the slider
    wait(lambda: len(every(opened, "button.topic")) == 16)
    assert one(opened, "#level-text").text == "16 topics"
    wait(lambda: one(opened, "#map").get_attribute("data-label-level") == "1")
    row = one(opened, 'button.topic[data-topic="3"]')
    name = row.find_element("css selector", ".name").text
    row.click()
    wait(lambda: one(opened, "#panel h2").text == name)
    wait(lambda: shown(opened) == int((fitted.labels_ == 3).sum()))
    of_topic = np.flatnonzero(fitted.labels_ == 3)
    while one(opened, "button.more").is_displayed():
        one(opened, "button.more").click()
    listed = [int(b.get_attribute("data-document")) for b in every(opened, "button.document")]
    assert sorted(listed) == of_topic.tolist()  # all of them, not the typical ones alone
    shares = fitted.doc_topics_[listed, 3]
    assert listed[0] == np.argmax(fitted.doc_topics_[:, 3])
    assert (np.diff(shares) < 0.02).all()  # the page holds shares in steps of 1/255
    panel = one(opened, "#panel").text
    for heading in ("Share by group", "Share over time", "the most typical first", "Neighbours"):
        assert heading in panel
    one(opened, "button.document").click()
    wait(lambda: "Topics of this document" in one(opened, "#panel").text)
    assert name in one(opened, "#panel").text
    bars = [bar.text for bar in every(opened, "#panel > .bar .share")]
    assert sum(float(bar.rstrip(" %")) for bar in bars) == pytest.approx(100, abs=3)
    assert not one(opened, "details .bar").is_displayed()  # atoms are folded away
    one(opened, "summary").click()
    assert one(opened, "details .bar").is_displayed()
    one(opened, "button.back").click()
    wait(lambda: one(opened, "#panel h2").text == name)


def test_a_document_of_many_topics_says_what_the_others_have(opened, fitted):
    largest = np.sort(fitted.doc_topics_, axis=1)[:, :-6:-1].sum(axis=1)
    row = int(np.argmin(largest))
    opened.execute_script(f"open({{ kind: 'document', document: {row} }})")
    wait(lambda: one(opened, "#panel h2").text == str(row))
    last = every(opened, "#panel > .bar")[-1].text.split("\n")
    assert last[0] == "other topics"
    assert float(last[1].rstrip(" %")) == pytest.approx(100 * (1 - largest[row]), abs=1.5)


@pytest.mark.parametrize("width", [1400, 500])
def test_labels_lie_neither_on_each_other_nor_under_buttons(opened, width):
    opened.set_window_size(width, 900)
    opened.execute_script("setLevel(1)")
    wait(lambda: one(opened, "#map").get_attribute("data-label-level") == "1")
    opened.execute_script("setColor('groups')")  # its legend takes room, too
    sides = ("left", "right", "top", "bottom")

    def overlaps():
        time.sleep(0.1)  # painted
        boxes = json.loads(one(opened, "#map").get_attribute("data-boxes"))
        assert boxes
        stage = one(opened, "#map").rect
        for node in ("#zoom", "#legend"):
            rect = one(opened, node).rect
            left, top = rect["x"] - stage["x"], rect["y"] - stage["y"]
            corners = (left, left + rect["width"], top, top + rect["height"])
            boxes.append(dict(zip(sides, corners, strict=True)))
        return [
            (a, b)
            for a, b in combinations(boxes, 2)
            if a["left"] < b["right"] and b["left"] < a["right"]
            and a["top"] < b["bottom"] and b["top"] < a["bottom"]
        ]  # fmt: skip

    assert overlaps() == []
    assert int(one(opened, "#map").get_attribute("data-labels")) >= 6
    for _ in range(3):  # towards the buttons
        opened.execute_script("moveBy(width / 8, height / 8)")
        assert overlaps() == []


def test_the_map_is_coloured_by_a_column(opened, posts):
    from selenium.webdriver.support.select import Select

    painted = "const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d',"
    painted += " { willReadFrequently: true }); copy.drawImage(canvas, 0, 0);"
    painted += "const d = copy.getImageData(0, 0, canvas.width, canvas.height).data;"
    painted += "const seen = {}; for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 217) {"
    painted += " const c = [d[i], d[i + 1], d[i + 2]]; seen[c] = (seen[c] || 0) + 1; }"
    painted += " return Object.values(seen).filter((count) => count > 50).length;"
    assert not one(opened, "#legend").is_displayed()
    assert opened.execute_script(painted) == 4  # topics
    choice = Select(one(opened, "#color-by"))
    assert [option.text for option in choice.options] == ["topic", "group", "time"]
    choice.select_by_visible_text("group")
    time.sleep(0.2)
    names = [row.text for row in every(opened, "#legend div")]
    assert names == sorted(set(map(str, posts.classes)))
    assert opened.execute_script(painted) == len(names)
    choice.select_by_visible_text("topic")
    assert not one(opened, "#legend").is_displayed()


def test_it_follows_a_dark_theme(opened):
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    paper = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert max(map(int, paper[4:-1].split(","))) < 60


def test_keys(opened):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys):
        ActionChains(opened).send_keys(*keys).perform()

    press("]")
    wait(lambda: one(opened, "#level-text").text == "16 topics")
    press("[")
    wait(lambda: one(opened, "#level-text").text == "4 topics")
    press("/")
    assert opened.switch_to.active_element.get_attribute("id") == "search"
    press("the")
    wait(lambda: one(opened, "#panel h2").text == "Search: the")
    press(Keys.ARROW_DOWN, Keys.ENTER)  # the first result
    wait(lambda: every(opened, "button.back"))
    press(Keys.ESCAPE, Keys.ESCAPE)
    wait(lambda: one(opened, "#panel h2").text == "4 topics")
    before = one(opened, "#map").get_attribute("data-labels")
    press("+", "+", "+", Keys.ARROW_LEFT)
    wait(lambda: one(opened, "#map").get_attribute("data-label-level") == "1")
    press("0")
    wait(lambda: one(opened, "#map").get_attribute("data-labels") == before)


def test_a_hostile_document_stays_text(opened):
    assert opened.title == HOSTILE
    assert one(opened, "h1").text == HOSTILE
    one(opened, "#search").send_keys("onerror")
    wait(lambda: status(opened).startswith("1 of "))
    one(opened, "button.document").click()
    wait(lambda: one(opened, "#panel .text").text == HOSTILE)
    assert not every(opened, "#panel img, #panel script")
    assert opened.title == HOSTILE


def test_it_works_on_a_small_screen(opened):
    opened.set_window_size(500, 900)
    wait(lambda: one(opened, "#panel").rect["y"] > one(opened, "#map").rect["y"] + 100)
    assert opened.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    one(opened, "button.topic").click()
    wait(lambda: every(opened, "button.back"))


def test_twenty_thousand_documents_open_in_three_seconds_and_fifteen_megabytes(
    browser, fitted, posts, tmp_path
):
    rows = np.resize(np.arange(len(posts.documents)), N_DOCUMENTS)
    many = SAETopicModel(16, sae=fitted.sae_)
    texts = [f"{row} {posts.documents[i]}" for row, i in enumerate(rows)]
    many.fit(None, embeddings=posts.embeddings[rows])
    places = np.random.default_rng(0).normal(size=(N_DOCUMENTS, 2))
    path = explore(many, texts, tmp_path / "many.html", positions=places)
    assert path.stat().st_size < 15_000_000
    browser.get(path.as_uri())
    wait(lambda: ready(browser))
    wait(lambda: shown(browser) == N_DOCUMENTS)
    milliseconds = browser.execute_script(
        "return performance.getEntriesByName('ready')[0].startTime"
    )
    assert milliseconds < 3000
