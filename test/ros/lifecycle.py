"""A lifecycle manager for tests: drives the node by its services alone, over DDS, as Nav2's does."""

from __future__ import annotations

from typing import Any

from harness import Cameras
from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

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

    def _ask(self, kind: type, name: str, request: Any) -> Any:
        client = self._world.create_client(kind, f"mrfs/{name}")
        self._world.spin_until(client.service_is_ready, timeout_s=120)
        self._world.await_node()
        future = client.call_async(request)
        self._world.spin_until(future.done, timeout_s=120)
        self._world.destroy_client(client)
        return future.result()

    def change(self, *transitions: str) -> bool:
        """Ask for the transitions, one after the other; did all succeed?"""
        return all(
            self._ask(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=IDS[name]))).success
            for name in transitions
        )

    def state(self) -> str:
        return self._ask(GetState, "get_state", GetState.Request()).current_state.label

    def states(self) -> list[str]:
        """All that there are."""
        found = self._ask(GetAvailableStates, "get_available_states", GetAvailableStates.Request())
        return [state.label for state in found.available_states]

    def set(self, **parameters: Any) -> SetParametersResult:
        values = [Parameter(name, value=value).to_parameter_msg() for name, value in parameters.items()]
        (result, *_) = self._ask(SetParameters, "set_parameters", SetParameters.Request(parameters=values)).results
        return result
