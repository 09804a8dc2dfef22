"""Signs that a reader does not see, and that may change what is seen."""

import re

UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Controls and terminal escapes, halves of surrogate pairs, and what changes direction or width,
annotates or tags. The joiners U+200C and U+200D stay, which some languages need."""
