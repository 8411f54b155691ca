"""JK (Jikong) battery management systems, in the words of their two protocols.

polled     the protocol `jk-bms`: frames 4E 57 on a UART or RS-485, asked by the bridge
broadcast  the protocol `jk-bms-push`: frames 55 AA EB 90 on RS-485, asked by a master and heard
"""
