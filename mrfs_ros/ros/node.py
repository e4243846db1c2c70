"""The ROS 2 node: a managed (lifecycle) node's transitions, its parameters and its services."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from difflib import get_close_matches

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from mrfs_ros.bag.yaml_parameters import unused_sections
from mrfs_ros.engine import Engine
from mrfs_ros.errors import ConfigError, MrfsError
from mrfs_ros.ros.diagnostics import ACTIVE
from mrfs_ros.ros.inputs import Inputs
from mrfs_ros.ros.node_parameters import changed, declare_parameters, params_files, unknown_parameters
from mrfs_ros.ros.pipeline import Pipeline
from mrfs_ros.ros.reporter import Reporter

STOP_WAIT_S = 1.0  # how long a frame in a network may hold up the end of the node
CLEANUP_WAIT_S = 10.0  # and how long a cleanup
UNCONFIGURED, INACTIVE, FINALIZED = "unconfigured", "inactive", "finalized"  # as lifecycle_msgs calls them
SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)


class MrfsNode(LifecycleNode):
    """Pairs of ``rgb/image`` and ``thermal/image`` in, ``~/fused``, ``~/segmentation`` and ``~/overlay`` out.

    A managed node: configure loads the weights, activate subscribes and publishes, deactivate keeps the weights,
    cleanup frees them. With the parameter ``autostart`` (true by default) it is active when it is made.

    ``engine``: for tests and for teams with an engine of their own, which stays theirs; by default one is loaded as the
    parameters say. Raises MrfsError for parameters and, with ``autostart``, for weights that cannot be used.
    """

    def __init__(self, engine: Engine | None = None, **node_arguments):
        super().__init__("mrfs", **node_arguments)
        self._service_change_state.callback = self._answering(self._service_change_state.callback)
        self._own_engine = engine
        self.pipeline: Pipeline | None = None  # from configure to cleanup
        self.inputs: Inputs | None = None  # while active
        self.enabled = True
        self.failure = ""  # of the last transition, in one line
        self.interruptible: Callable[[], AbstractContextManager] = nullcontext  # around what takes long
        self._finalized = False
        self._starting = False
        self._error: Exception | None = None
        self._config = declare_parameters(self)
        self._report_parameters()
        self.add_on_set_parameters_callback(self._on_parameters)
        self._enable_service = self.create_service(SetBool, "~/enable", self._on_enable)
        self._reporter = Reporter(self)
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False),
            post_callback=self._on_clock_jump,
        )
        if self._config.autostart:
            self._autostart()
        else:
            self.get_logger().info("unconfigured: waiting for transitions (autostart: false)")

    def _autostart(self) -> None:
        self._starting = True
        try:
            for trigger in (self.trigger_configure, self.trigger_activate):
                if trigger() != SUCCESS:
                    raise self._error
        except BaseException:
            self.close()
            raise
        finally:
            self._starting = False
        self.get_logger().info(f"ready in {self.pipeline.summary}; {self.inputs.summary}")

    @property
    def state(self) -> str:
        """unconfigured, inactive, active or finalized."""
        if self._finalized:
            return FINALIZED
        if self.pipeline is None:
            return UNCONFIGURED
        return INACTIVE if self.inputs is None else ACTIVE

    def close(self) -> bool:
        """Unsubscribe and stop the workers; False if a frame is still in one's network after ``STOP_WAIT_S``."""
        if self.inputs is not None:
            self.inputs.close()
        return self.pipeline is None or self.pipeline.stop(STOP_WAIT_S)

    # Transitions ------------------------------------------------------------------------------------------------

    def _answering(self, change_state: Callable) -> Callable:
        """``change_state``, which answers a transition that the state does not have: in Jazzy rclpy raises instead."""

        def answering(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
            try:
                return change_state(request, response)
            except RuntimeError as error:
                self.get_logger().warning(f"no such transition while {self.state}: {str(error).splitlines()[0]}")
                response.success = False
                return response

        return answering

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the weights and warm up, by the parameters of now."""
        return self._transition("configure", self._configure, FAILURE)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras, and publish."""
        return self._transition("activate", self._activate, FAILURE)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and be silent; the weights stay."""
        return self._transition("deactivate", self._deactivate, ERROR)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give back the weights' memory."""
        return self._transition("cleanup", self._clean_up, ERROR)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End all work, whatever the state; what is left is a node that can be asked for its state."""
        result = self._transition("shutdown", self._end_work, ERROR)
        self._finalized = result == SUCCESS
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that went wrong half-way: end all work; the node is unconfigured then."""
        result = self._transition("error processing", self._end_work, FAILURE)
        self._finalized = result == FAILURE
        return result

    def _transition(
        self, name: str, step: Callable[[], None], otherwise: TransitionCallbackReturn
    ) -> TransitionCallbackReturn:
        result = SUCCESS
        try:
            step()
            self.failure = ""
        except Exception as error:
            self._failed(name, error)
            result = otherwise
        self._reporter.publish()
        return result

    def _failed(self, name: str, error: Exception) -> None:
        self.failure = f"{name} failed: {' '.join(str(error).split()) or type(error).__name__}"
        if self._starting:
            self._error = error  # tells who starts the node
            return
        more = "" if isinstance(error, MrfsError) else f"\n{traceback.format_exc()}"
        self.get_logger().error(f"{self.failure}; the node is {self.state}{more}")

    def _configure(self) -> None:
        with self.interruptible():
            self.pipeline = Pipeline(self, self._config, self._own_engine)
        if not self._starting:
            self.get_logger().info(f"configured in {self.pipeline.summary}")

    def _activate(self) -> None:
        begin_s = time.monotonic()
        self.inputs = Inputs(self, self.pipeline, lambda: self.enabled)
        self.pipeline.activate()
        self._reporter.begin_activity()
        if not self._starting:
            self.get_logger().info(f"ready in {time.monotonic() - begin_s:.1f} s: {self.inputs.summary}")

    def _deactivate(self) -> None:
        inputs, self.inputs = self.inputs, None
        inputs.close()
        self.pipeline.deactivate()
        self.get_logger().info("deactivated: the cameras are not listened to; the weights stay loaded")

    def _clean_up(self) -> None:
        pipeline, self.pipeline = self.pipeline, None
        if pipeline.close(CLEANUP_WAIT_S):
            self.get_logger().info("cleaned up: the weights' memory is free")
        else:
            self.get_logger().warning("cleaned up: a pair is still in the network, whose memory is freed after it")

    def _end_work(self) -> None:
        if self.inputs is not None:
            self._deactivate()
        if self.pipeline is not None:
            self._clean_up()

    # Parameters, services, clock --------------------------------------------------------------------------------

    def _report_parameters(self) -> None:
        log = self.get_logger()
        log.info("parameters: " + ", ".join(f"{name}={value!r}" for name, value in vars(self._config).items()))
        for name in unknown_parameters(self):
            near = get_close_matches(name, vars(self._config), 1) or ["one of " + ", ".join(vars(self._config))]
            log.warning(f"parameter {name} is unknown to this node and has no effect: did you mean {near[0]}?")
        for file in params_files(sys.argv):
            with suppress(MrfsError):  # ROS 2 has read it, in its own way
                if unused := unused_sections(file, self.get_fully_qualified_name()):
                    log.warning(unused)

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        state = "" if self.pipeline is None else self.state
        config, answer = changed(self._config, parameters, configured=state)
        if not answer.successful:
            return answer
        try:
            if self.pipeline is not None:
                self.pipeline.apply(config)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self.inputs is not None:
            self.inputs.apply(config)
        self._config = config
        return answer

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.enabled = request.data
        self._reporter.forget_reasons()
        response.success = True
        response.message = "inference is on" if request.data else "inference is off; images are counted and dropped"
        if self.inputs is None:
            response.message += f" (once the node is active; it is {self.state})"
        else:
            self.inputs.last_pair_s, self.inputs.refused = time.monotonic(), ""
        self.get_logger().info(response.message)
        return response

    def _on_clock_jump(self, jump: TimeJump) -> None:
        if self.inputs is not None:
            self.inputs.source.clock_jumped_back(-jump.delta.nanoseconds / 1e9, time.monotonic())
