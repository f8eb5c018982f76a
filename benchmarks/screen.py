"""What an X server shows, read from the server itself: when a window's pixels appear, whoever drew them."""

from __future__ import annotations

import ctypes
import ctypes.util

_Z_PIXMAP = 2
_ALL_PLANES = 0xFFFFFFFF


class _Image(ctypes.Structure):
    """The beginning of Xlib's XImage."""

    _fields_ = [
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("xoffset", ctypes.c_int),
        ("format", ctypes.c_int),
        ("data", ctypes.POINTER(ctypes.c_char)),
        *((name, ctypes.c_int) for name in ("byte_order", "unit", "bit_order", "pad", "depth", "bytes_per_line")),
    ]


class Screen:
    """The screen named by DISPLAY. Raises OSError if there is no Xlib or no screen."""

    def __init__(self) -> None:
        self._x = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
        self._x.XDefaultRootWindow.restype = ctypes.c_ulong
        self._x.XGetImage.restype = ctypes.POINTER(_Image)
        self._x.XGetImage.argtypes = [ctypes.c_void_p, ctypes.c_ulong, *[ctypes.c_int] * 2, *[ctypes.c_uint] * 2,
                                      ctypes.c_ulong, ctypes.c_int]  # fmt: skip
        self._x.XDestroyImage.argtypes = [ctypes.POINTER(_Image)]
        self._x.XCloseDisplay.argtypes = [ctypes.c_void_p]
        self._display = self._x.XOpenDisplay(None)
        if not self._display:
            raise OSError("There is no X server.")
        self._root = self._x.XDefaultRootWindow(self._display)

    def look(self) -> bytes:
        """Return the pixels of a few lines across the upper left of the screen, enough to notice a window."""
        return b"".join(self._line(y) for y in range(40, 600, 80))

    def _line(self, y: int) -> bytes:
        image = self._x.XGetImage(self._display, self._root, 0, y, 1100, 1, _ALL_PLANES, _Z_PIXMAP)
        try:
            return ctypes.string_at(image.contents.data, image.contents.bytes_per_line)
        finally:
            self._x.XDestroyImage(image)

    def close(self) -> None:
        self._x.XCloseDisplay(self._display)
