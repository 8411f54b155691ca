"""A Modbus sensor that is not ours: pymodbus's own server, as a process of its own.

`python -m tests.support.foreign_sensor DEVICE BAUDRATE rtu|ascii` serves unit 1 with a few registers and
bits, and says "ready" once it listens.
"""

from __future__ import annotations

import asyncio
import sys

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 1
HOLDING = [0x41BB, 0x3333, 0, 0xFFF6, 0x0001, 0xE240, 7, 8, 9, 10]
"""Registers 0–1 are the float32 23.4, 2 is 0, 3 is -10, 4–5 are 123456."""
INPUT = [2301, 502]
BITS = [True, False, True, True, False, False, False, False]


async def serve(device: str, baudrate: int, mode: str) -> None:
    """Serve until killed."""
    bits = [SimData(0, values=BITS, datatype=DataType.BITS)]
    registers = [[SimData(0, values=values, datatype=DataType.REGISTERS)] for values in (HOLDING, INPUT)]
    server = ModbusSerialServer(
        SimDevice(UNIT, simdata=(bits, bits, *registers)),
        framer=FramerType(mode),
        port=device,
        baudrate=baudrate,
    )
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
