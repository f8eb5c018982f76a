@echo off
rem Run by the uninstaller, before the program's files go. Recordings, history and settings stay, unless the person
rem ticked "Also remove my recordings, history and settings".
if not "%OPTION_REMOVE_RECORDINGS%"=="1" exit /b 0
if "%LOCALAPPDATA%"=="" exit /b 0
rmdir /s /q "%LOCALAPPDATA%\babymonitor"
exit /b 0
