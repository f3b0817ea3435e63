# SPDX-License-Identifier: MIT
"""Accepts and closes, and does nothing else: what is counted under it is the library's."""

import asyncio

import usher


async def main() -> None:
    async for connection in usher.accept():
        connection.close()


asyncio.run(main())
