# SPDX-License-Identifier: Apache-2.0
"""Corpus 34: hosts that fail are left alone for a while, and the log of it."""

import json

import corpus_case
from corpus_case import CorpusCase
from lab import client, proxy
from lab.wait import until


class Outlier(CorpusCase):
    """34-outlier-detection: of two hosts one listens."""

    FILE = "valid/34-outlier-detection.yaml"

    def setUp(self):
        super().setUp()
        self.backend("A", 11001)

    def serve_edited(self, *changes, events=False):
        def edit(text):
            text = self.edited(*changes)(text)
            if events:
                text += "cluster_manager: {outlier_detection: {event_log_path: /tmp/events}}\n"
            return text
        self.serve(self.FILE, edit)

    def attempts(self, count):
        """How many of them were served."""
        served = 0
        for _ in range(count):
            with client.Client(self.here()) as connection:
                connection.half_close()
                served += connection.end().data == b"A\n"
        return served

    def flags(self, port=11009):
        return self.proxy.clusters()[("watched", self.at(port), "health_flags")]

    def wait_flags(self, wanted):
        until(lambda: self.flags() == wanted, 10, "flags " + wanted)

    def events(self, count):
        return [json.loads(line) for line in proxy.wait_lines(self.tmp("events"), count)]

    def test_two_failures_in_a_row_eject(self):
        self.serve_edited()
        self.assertEqual(self.attempts(4), 2)
        self.wait_flags("/failed_outlier_check")
        self.assertEqual(self.attempts(6), 6)
        self.expect(watched={"outlier_detection.ejections_active": 1,
                             "outlier_detection.ejections_enforced_total": 1,
                             "outlier_detection.ejections_detected_consecutive_5xx": 1,
                             "outlier_detection.ejections_enforced_consecutive_5xx": 1,
                             "outlier_detection.ejections_overflow": 0,
                             "outlier_detection.ejections_total": 1,
                             "outlier_detection.ejections_consecutive_5xx": 1,
                             "membership_healthy": 1})

    def test_not_more_than_a_percentage(self):
        self.serve_edited(("max_ejection_percent: 50", "max_ejection_percent: 10"))
        self.attempts(4)
        self.expect(watched={"outlier_detection.ejections_overflow": 1,
                             "outlier_detection.ejections_active": 0})
        self.assertEqual(self.flags(), "healthy")

    def test_but_one_if_that_is_wanted(self):
        self.serve_edited(("max_ejection_percent: 50",
                           "max_ejection_percent: 10\n      always_eject_one_host: true"))
        self.attempts(4)
        self.wait_flags("/failed_outlier_check")

    def test_what_is_not_enforced_is_only_counted(self):
        self.serve_edited(("consecutive_5xx: 2",
                           "consecutive_5xx: 2\n      enforcing_consecutive_5xx: 0"))
        self.attempts(4)
        self.expect(watched={"outlier_detection.ejections_detected_consecutive_5xx": 1,
                             "outlier_detection.ejections_enforced_total": 0})
        self.assertEqual(self.flags(), "healthy")

    def test_failed_connects_can_have_a_count_of_their_own(self):
        self.serve_edited(("consecutive_5xx: 2",
                           "consecutive_5xx: 1\n      split_external_local_origin_errors: true\n"
                           "      consecutive_local_origin_failure: 3"))
        self.attempts(4)
        self.expect(watched={"outlier_detection.ejections_active": 0})
        self.attempts(2)
        self.wait_flags("/failed_outlier_check")
        self.expect(watched={
            "outlier_detection.ejections_enforced_consecutive_local_origin_failure": 1,
            "outlier_detection.ejections_detected_consecutive_5xx": 0})

    def test_gateway_failures_eject_when_that_is_enforced(self):
        self.serve_edited(("consecutive_5xx: 2",
                           "consecutive_gateway_failure: 1\n"
                           "      enforcing_consecutive_gateway_failure: 100"))
        self.attempts(2)
        self.wait_flags("/failed_outlier_check")
        self.expect(watched={"outlier_detection.ejections_enforced_consecutive_gateway_failure": 1})

    def test_it_comes_back_and_goes_for_longer(self):
        self.serve_edited(("interval: 1s", "interval: 0.1s"),
                          ("base_ejection_time: 30s", "base_ejection_time: 0.2s"), events=True)
        self.attempts(4)
        first, back = self.events(2)
        self.assertEqual(list(first), ["type", "timestamp", "cluster_name", "upstream_url",
                                       "action", "num_ejections", "enforced",
                                       "eject_consecutive_event"])
        self.assertEqual(
            [first[key] for key in ("type", "action", "num_ejections", "enforced")],
            ["CONSECUTIVE_5XX", "EJECT", 1, True])
        self.assertEqual(first["upstream_url"], self.at(11009))
        self.assertEqual(list(back), ["type", "timestamp", "secs_since_last_action",
                                      "cluster_name", "upstream_url", "action", "num_ejections",
                                      "enforced"])
        self.assertEqual([back[key] for key in ("action", "num_ejections", "enforced")],
                         ["UNEJECT", 1, False])
        self.assertEqual(self.flags(), "healthy")
        self.expect(watched={"outlier_detection.ejections_active": 0})

    def test_success_rates_of_connects(self):
        self.serve_edited(("consecutive_5xx: 2", "consecutive_5xx: 100\n"
                           "      success_rate_minimum_hosts: 2\n"
                           "      success_rate_request_volume: 3\n"
                           "      success_rate_stdev_factor: 900"))
        self.attempts(8)
        self.wait_flags("/failed_outlier_check")
        self.expect(watched={"outlier_detection.ejections_enforced_success_rate": 1})
        shown = self.proxy.clusters()
        self.assertIn(("watched", "", "success_rate_average"),
                      {(c, "", key) for c, _, key in shown})

    def test_a_percentage_of_failures(self):
        self.serve_edited(("consecutive_5xx: 2", "consecutive_5xx: 100\n"
                           "      enforcing_failure_percentage: 100\n"
                           "      failure_percentage_minimum_hosts: 2\n"
                           "      failure_percentage_request_volume: 3"))
        self.attempts(8)
        self.wait_flags("/failed_outlier_check")
        self.expect(watched={"outlier_detection.ejections_enforced_failure_percentage": 1})

    def test_pages_show_that_it_is_on(self):
        self.serve_edited()
        page = self.proxy.text("/clusters")
        for line in ("success_rate_average::-1", "success_rate_ejection_threshold::-1",
                     "local_origin_success_rate_average::-1",
                     "local_origin_success_rate_ejection_threshold::-1"):
            self.assertIn("watched::outlier::" + line, page)


if __name__ == "__main__":
    corpus_case.main()
