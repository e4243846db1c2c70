"""The beginning of the package's ROS programs."""

from __future__ import annotations

import rclpy
from rclpy.signals import SignalHandlerOptions


def init() -> None:
    """``rclpy.init`` without its handlers of signals: see ``Stop``.

    They wake executors from a thread of their own, also those that an exception of our handlers has just freed: on a
    busy machine one end in thirty was a crash (Jazzy, Kilted). What spins must wake by itself now and then, by a timer
    or a timeout, to notice a signal.
    """
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
