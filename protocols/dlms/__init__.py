"""DLMS/COSEM push: what the customer interface of a smart meter sends unasked, one file for each document.

hdlc         IEC 62056-46: the frame of most meters, and how it is found in a stream
wired_mbus   IEC 62056-7-3: the same on M-Bus, as Austrian meters send it
assembly     segments and blocks of several frames into one APDU
apdu         IEC 62056-5-3: data-notification and general-glo-ciphering
ciphering    the same, security suite 0: AES-128-GCM, and the invocation counter
data         A-XDR: numbers, octet strings, structures
lists        what the makers' lists mean: with units, without, or by position
description  a push into values and into fields
push         the protocol `dlms-push`
"""
