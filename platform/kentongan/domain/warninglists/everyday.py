"""Names that every machine has. Small and ours: no published list holds them."""

from __future__ import annotations

EVERYDAY: dict[str, frozenset[str]] = {
    "user-account": frozenset(
        "admin administrator guest root system user test oracle postgres mysql www-data nobody ubuntu ftp anonymous info "
        "support default localsystem pi sa tomcat git backup".split()
    ),
    "file-name": frozenset(
        "cmd.exe powershell.exe svchost.exe explorer.exe rundll32.exe regsvr32.exe wscript.exe cscript.exe mshta.exe lsass.exe "
        "services.exe winlogon.exe csrss.exe taskhost.exe conhost.exe wmic.exe schtasks.exe certutil.exe bitsadmin.exe net.exe "
        "chrome.exe firefox.exe iexplore.exe msedge.exe outlook.exe winword.exe excel.exe powerpnt.exe acrord32.exe notepad.exe "
        "java.exe python.exe node.exe setup.exe install.exe installer.exe update.exe updater.exe readme.txt index.php index.html "
        "desktop.ini autorun.inf ntdll.dll kernel32.dll user32.dll bash sh curl wget ssh sshd cron test.exe a.exe 1.exe".split()
    ),
}
"""Kind to normal forms."""
