"""A lifecycle manager for tests: drives the node by its services alone, over DDS, as Nav2's does."""

from __future__ import annotations

from typing import Any

from harness import Cameras
from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetState
from rcl_interfaces.msg import SetParametersResult

IDS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "unconfigured shutdown": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    "inactive shutdown": Transition.TRANSITION_INACTIVE_SHUTDOWN,
    "active shutdown": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


class Manager:
    """Speaks to ``mrfs`` through the node ``world``; keeps the goal states of the transitions that it hears of."""

    def __init__(self, world: Cameras):
        self._world = world
        self.events: list[str] = []
        world.create_subscription(
            TransitionEvent, "mrfs/transition_event", lambda event: self.events.append(event.goal_state.label), 10
        )

    def change(self, *transitions: str) -> bool:
        """Ask for the transitions, one after the other; did all succeed?"""
        requests = [ChangeState.Request(transition=Transition(id=IDS[name])) for name in transitions]
        return all(self._world.ask(ChangeState, "change_state", request).success for request in requests)

    def state(self) -> str:
        return self._world.ask(GetState, "get_state", GetState.Request()).current_state.label

    def states(self) -> list[str]:
        """All that there are."""
        found = self._world.ask(GetAvailableStates, "get_available_states", GetAvailableStates.Request())
        return [state.label for state in found.available_states]

    def set(self, **parameters: Any) -> SetParametersResult:
        return self._world.change_parameters(**parameters)[0]
