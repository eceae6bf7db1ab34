"""A lifecycle node whose transitions end in a sentence: what they raise ends no thread and leaves no caller waiting."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.utilities import try_shutdown

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.command_session import initialise_rclpy
from imu_emg_estimator.ros.node_refusals import naming_refusal
from imu_emg_estimator.ros.node_topics import rcl_reason
from imu_emg_estimator.ros.startup_checks import remapped_parameters, unread_files

EXIT_DIED, EXIT_BAD_START = 1, 2
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """Turns the callbacks of rclpy's transitions into four methods that may raise.

    Subclasses define ``configure``, ``activate``, ``deactivate`` and ``cleanup``. What the first two raise refuses the
    transition. ``cleanup`` must release whatever there is, after a ``configure`` that failed half-way, too.

    Attributes:
        finalized: the node was shut down by a transition; it can only be destroyed.

    Raises:
        InputError: ROS creates no node, for instance without the security that the environment asks for.
    """

    def __init__(self, name: str, **node_options: Any) -> None:
        try:
            with naming_refusal("ROS creates no node"):
                super().__init__(name, **node_options)
        except InvalidParameterTypeException as error:  # of rclpy's own parameters, such as use_sim_time
            raise InputError(f"{rcl_reason(error)}; correct its value") from None
        self.finalized = False
        self._refusal: Exception | None = None
        self._brings_itself_up = False
        for service in self.services:
            service.callback = self._answering(service.callback)

    def configure(self) -> None:
        """Load and create what an active node needs; may raise."""

    def activate(self) -> None:
        """Begin to publish; may raise."""

    def deactivate(self) -> None:
        """Cease to publish."""

    def cleanup(self) -> None:
        """Release all that ``configure`` made; may be called twice."""

    def bring_up(self) -> None:
        """Configure and activate, without a lifecycle manager; raises what prevents it."""
        self._brings_itself_up = True
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != SUCCESS and self._refusal is not None:
                raise self._refusal
        self._brings_itself_up = False

    # what rclpy calls

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        outcome = self._attempt("configure", self.configure)
        if outcome != SUCCESS:
            self._attempt("clean up", self.cleanup)
        return outcome

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._attempt("activate", self.activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._attempt("deactivate", self.deactivate)
        return SUCCESS  # there is no way back

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._attempt("clean up", self.cleanup)
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._attempt("deactivate", self.deactivate)
        self._attempt("clean up", self.cleanup)
        self.finalized = True
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._attempt("clean up", self.cleanup)
        return SUCCESS

    def _attempt(self, what: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            work()
        except Exception as error:
            self._refusal = error
            if not self._brings_itself_up:
                foreseen = isinstance(error, InputError)
                self.get_logger().error(f"cannot {what}: {error if foreseen else traceback.format_exc()}")
            return FAILURE
        return SUCCESS

    def _answering(self, serve: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return a service that answers where ``serve`` raises, as rclpy does for transitions that do not exist."""

        def answer(request: Any, response: Any) -> Any:
            try:
                return serve(request, response)
            except Exception as error:  # a request that rclpy did not foresee
                reason = rcl_reason(error)
                self.get_logger().warning(
                    f"refused a request ({type(request).__name__}): {reason}", throttle_duration_sec=1.0
                )
                return refused(request, response, reason)

        return answer


def refused(request: Any, response: Any, reason: str) -> Any:
    """Put a refusal into the response of one of the services that every node has; return it."""
    if hasattr(response, "success"):  # change_state
        response.success = False
    elif hasattr(response, "results"):  # set_parameters: one for each that was asked for
        from rcl_interfaces.msg import SetParametersResult

        refusal = SetParametersResult(successful=False, reason=reason)
        response.results += [refusal] * (len(request.parameters) - len(response.results))
    elif hasattr(response, "result") and hasattr(response.result, "reason"):  # set_parameters_atomically
        response.result.successful, response.result.reason = False, reason
    return response


AnyNode = TypeVar("AnyNode", bound=ManagedNode)


def run_managed(
    name: str,
    make: Callable[[], AnyNode],
    work: Callable[[AnyNode, list[int]], int],
    arguments: Sequence[str] | None,
    stop: list[int],
) -> int:
    """Run a node with an rclpy of its own; return the exit status, 2 if it cannot start.

    Args:
        name: of the node, for the sentence that says why it cannot start.
        work: returns the exit status once ``stop`` holds something.
        arguments: of ROS; None = those of this process.
        stop: filled by signals.
    """
    try:
        if not stop:
            initialise_rclpy(arguments)
            node = make()
            given, parameters = sys.argv if arguments is None else arguments, node.get_parameters_by_prefix("")
            for sentence in (
                *unread_files(given, node.get_fully_qualified_name()),
                *remapped_parameters(given, parameters),
            ):
                node.get_logger().warning(sentence)
            return work(node, stop)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EXIT_BAD_START
    except ExternalShutdownException:
        pass
    finally:
        try_shutdown()
    return 0
