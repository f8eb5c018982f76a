"""The main window, its side bar and the tray icon."""
