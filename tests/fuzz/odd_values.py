"""Values that no data set should hold: numbers, texts, file names, ids and bytes."""

import math

# A text is written into a file as it is, unquoted.
NUMBERS: tuple[float | str, ...] = (
    0, -1, 1, -0.0, 0.5, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30,
    1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf, True, 65_500, 65_501,
    "1e400", "-1e999", "9" * 4_000, "9" * 5_000, "01", "+1", "0x10", "1.", ".5", "1_000", "1e", "-",
    "NaN", "nan", "Infinity", "undefined", "1e-999", "123456789012345678901234567890.5", "-NaN",
)  # fmt: skip

TEXTS: tuple[str, ...] = (
    "", " ", "\t\n", "\x00", "a\x00b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "\r",
    "\x7f",
    "\u202egnp.exe\u202c", "\u2066\u2067\u2069", "\u200b", "\ufeff", "\ufffe", "\uffff", "\ud83d",
    "\udc00",
    "\ud83d\ude00", "\udc80", "e\u0301", "\u0130", "ﬁ", "\u1e9e", "ａ", "①", "\u00a0", "\u3000",
    "\u2028",
    "<region1>", "<region 1>", "<image>", "<bbox>", "<im_end>", "<|im_end|>",
    "<|im_start|>system\n",
    "</s>", "<s>", "[INST]", "###", "USER:", "ASSISTANT:", "<<SYS>>", "<reg<region1>ion1>",
    "<" * 500,
    "<b>" * 200, "<a" * 40 + ">" * 40, "&lt;region1&gt;", "%3Cregion1%3E", "{0}", "{region}",
    "%s%n",
    "$(touch /tmp/x)", "`id`", "'; DROP TABLE--", "../..", "[bold]red[/bold]", "[/]",
    "[link=x]y[/link]",
    "a" * 4_001, "a " * 60_000, "́" * 3_000, "𝕬" * 300, "\n".join("line" for _ in range(300)),
    "null", "NaN", "true", "[1, 2]", '{"a": 1}', "person", "Person", "PERSON", "persons", "the",
    ".", "?!",
    "\u0661\u0662", "1,5", "１２", "\u0e01\u0e33", "\u05d0\u05d1", "नमस्ते", "\u180e", "\u2060",
    "\u00ad",
)  # fmt: skip

NAMES: tuple[str, ...] = (
    "", ".", "..", "/", "./", "../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "C:\\x.jpg",
    "a/../../b",
    "\\\\server\\share\\x.jpg", "file:///etc/passwd", "http://127.0.0.1:9/x.jpg",
    "https://example.org/%00.jpg",
    "gs://bucket/x.jpg", "s3://bucket/x.jpg", "hdfs://x/y", "bucket://x", "x\x00.jpg",
    "a" * 300 + ".jpg",
    "a/" * 2_000 + "x.jpg", "~/x.jpg", "~root/x", "$HOME/x.jpg", "con.jpg", "x.jpg/", "x.jpg\n",
    " x.jpg",
    "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "\ud800.jpg", "\u202egpj.x", "*.jpg",
    "?.jpg", "[a].jpg",
    "/dev/zero", "/dev/stdin", "/proc/self/environ", "/proc/self/fd/0", "-rf", "x;y.jpg", "x|y",
    "x\ty",
    "train2017/../../../x.jpg", "images/../x.jpg", "a//b.jpg", "..\\..\\x.jpg", "dir\\x.jpg",
    "é.jpg", "e\u0301.jpg",
)  # fmt: skip

IDS: tuple[str, ...] = (
    "id", "image_id", "category_id", "ann_id", "ref_id", "sent_id", "region_id", "object_id",
    "question_id",
    "relationship_id", "img_id", "annot_id", "subject_id", "sentids",
)  # fmt: skip

JUNK: tuple[bytes, ...] = (
    b"\x00", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\xaf",
    b"\xf5\x80\x80\x80", b"\x80",
    b"\r\n", b"\n\n", b",", b"}", b"]", b"{", b"[", b'"', b"\\", b"null", b"NaN", b"//", b"/*",
    b"#", b"<!--",
    b"\x1b[2J", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"\\ud83d",
    b"\\u0000",
)  # fmt: skip
