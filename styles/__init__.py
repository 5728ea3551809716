"""The styles that come with styler: pictures, and trained networks; installed as `styler.shipped`."""
