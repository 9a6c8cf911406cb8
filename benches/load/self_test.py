"""Checks of what the yardstick reckons with, without any load: benches/load.sh --self-test."""

import base64
import hashlib
import hmac
import json
import os
import re
import tempfile
import unittest
import xml.etree.ElementTree as xml

from . import configuration, drivers, envoy, exchange, measure, peers, plot, report, rows, workers

SVG = "{http://www.w3.org/2000/svg}"


class Reckoning(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_rounds_and_not_that_of_the_medians(self):
        # The machine is twice as slow in the second round, for both.
        self.assertEqual(measure.paired([11, 22, 33], [10, 20, 10])[0], 1.1)
        self.assertEqual(measure.paired([3], [2]), [1.5] * 3)

    def test_loud_rounds_are_left_out_unless_half_were(self):
        row = lambda *others: [measure.Slice(1, 1, 1, 1, 1, one) for one in others]
        self.assertEqual(measure.calm(row(0, 0.5, 0.1, 0)), [0, 2, 3])
        self.assertEqual(measure.calm(row(0, 0.5, 0.1, 0), row(0, 0, 0, 0.4)), [0, 2])
        self.assertEqual(measure.calm(row(0.5, 0.5, 0.1), row(0, 0, 0)), [0, 1, 2])

    def test_answers_of_another_status_end_a_run_and_requests_under_way_at_its_end_do_not(self):
        result = lambda counts, errors: {"statusCodeDistribution": counts, "errorDistribution": errors, "summary": {"requestsPerSec": 5.0},
                                         "latencyPercentiles": {"p50": 0.001, "p99": 0.002}}
        load = drivers.judge_oha(result({"200": 10}, {"aborted due to deadline": 3}), 200, "x")
        self.assertEqual((load.answers, load.rps, load.p50, load.p99), (10, 5.0, 1000.0, 2000.0))
        for counts, errors in (({"401": 10}, {}), ({"200": 9, "503": 1}, {}), ({"200": 9}, {"connection refused": 1}), ({}, {"connection refused": 1})):
            with self.assertRaises(SystemExit):
                drivers.judge_oha(result(counts, errors), 200, "x")
        with self.assertRaises(drivers.Stalled):
            drivers.judge_oha(result({}, {"aborted due to deadline": 16}), 200, "x")

    def test_wrk_is_believed_when_all_were_refused_or_none(self):
        result = lambda refused, broken=0: {"answers": 10, "seconds": 2.0, "p50": 1.0, "p99": 2.0, "refused": refused, "broken": broken}
        self.assertEqual(drivers.judge_wrk(result(0), 200, "x").rps, 5.0)
        self.assertEqual(drivers.judge_wrk(result(10), 401, "x").answers, 10)
        for refused, broken, status in ((1, 0, 200), (9, 0, 401), (0, 1, 200)):
            with self.assertRaises(SystemExit):
                drivers.judge_wrk(result(refused, broken), status, "x")

    def test_a_load_shares_the_processors_with_the_workers_only_where_there_are_few(self):
        few, many = workers.Places([0, 1]), workers.Places([0, 1, 2, 3])
        self.assertEqual((few.one, few.two, few.rest, few.apart), ("0,1", "0,1", "0,1", False))
        self.assertEqual((many.one, many.two, many.rest, many.apart), ("0", "0,1", "2,3", True))


class Rows(unittest.TestCase):
    def test_a_row_brings_what_it_is_held_against(self):
        self.assertEqual([one.name for one in rows.chosen(["post", "junk"], peers=False)], ["bare", "junk", "bare-post", "post"])
        self.assertEqual(len(rows.chosen(None, peers=True)), len(rows.BY_NAME))
        with self.assertRaisesRegex(ValueError, "no row is called pots"):
            rows.chosen(["pots"], peers=False)

    def test_each_row_is_held_against_bare_pingora_with_the_same_kind_of_request(self):
        for one in rows.BY_NAME.values():
            base = rows.BY_NAME[one.base]
            self.assertEqual((base.proxy, base.base), ("bare", base.name))
            self.assertEqual((one.post, one.tls, one.http2, bool(one.turn)), (base.post, base.tls, base.http2, bool(base.turn)), one.name)

    def test_the_last_rule_alone_matches_the_request(self):
        for count in (0, 1, 10, 100):
            rules = configuration.route_rules(count)
            self.assertEqual(len(rules), count)
            matching = [rule for rule in rules if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", rule["path"]), drivers.PATH)]
            self.assertEqual(matching, rules[-1:])


class Texts(unittest.TestCase):
    def test_the_configuration_is_closed_and_what_is_peculiar_takes_the_place_of_what_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            path = configuration.write_gateway(folder, "x", 1234, {"log.access": True}, rules=2)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            with open(path) as file:
                text = file.read()
        self.assertEqual(re.findall("^log.access = (.*)$", text, re.M), ["true"])
        self.assertEqual(text.count("[[route]]"), 2)
        self.assertIn('erpnext.url = "http://127.0.0.1:1234"\n', text)
        self.assertLess(text.index("store.path"), text.index("[[client]]"))

    def test_requests_tell_the_length_of_their_body(self):
        head, _, body = exchange.form("/x", {"grant_type": "client_credentials"}).partition(b"\r\n\r\n")
        self.assertEqual(int(exchange.LENGTH.search(head)[1]), len(body))

    def test_every_place_in_the_peers_configurations_is_filled(self):
        values = dict.fromkeys(("NAME", "FOLDER", "UPSTREAM", "PLAIN", "CHECKED", "SECRET", "MODULES", "TOKEN", "INTROSPECTION", "USER"), 1)
        with tempfile.TemporaryDirectory() as folder:
            for template in os.listdir(peers.TEMPLATES):
                with open(peers.fill(folder, "x", template, values)) as file:
                    self.assertNotRegex(file.read(), "@[A-Z]+@", template)

    def test_the_jwt_is_signed_with_the_shared_secret(self):
        signed, _, signature = peers.hs256().rpartition(".")
        expected = hmac.new(peers.HS_SECRET.encode(), signed.encode(), hashlib.sha256).digest()
        self.assertEqual(base64.urlsafe_b64decode(signature + "="), expected)

    def test_envoy_checks_on_one_port_only(self):
        listeners = envoy.envoy_configuration(1, 2, 3, "{}")["static_resources"]["listeners"]
        checks = [("jwt_authn" in json.dumps(one), one["address"]["socket_address"]["port_value"]) for one in listeners]
        self.assertEqual(checks, [(False, 1), (True, 2)])

    def test_a_table_has_as_many_cells_in_each_line(self):
        lines = report.table(["", "a"], [["b", "1"], ["c", "2"]]).split("\n")
        self.assertEqual(lines, ["| | a |", "| --- | --- |", "| b | 1 |", "| c | 2 |"])

    def test_the_plot_is_xml_and_its_bars_are_as_long_as_the_times(self):
        drawn = xml.fromstring(plot.svg("a < b", "today", [plot.Bar("x & y", 10, 20, True), plot.Bar("z", 30, 30, False)]))
        widths = {bar.get("class"): float(bar.get("width")) for bar in drawn.iter(f"{SVG}rect") if bar.get("height") == str(plot.BAR)}
        self.assertAlmostEqual(widths["ours-system"] / widths["ours-user"], 2, delta=0.01)
        self.assertAlmostEqual(widths["others-user"] / widths["ours-user"], 3, delta=0.01)
        self.assertLessEqual(plot.LABELS + widths["others-user"] + widths["others-system"] + plot.RIGHT, plot.WIDTH + 0.2)
        self.assertIn("x & y", [text.text for text in drawn.iter(f"{SVG}text")])

    def test_the_grid_has_few_lines_and_round_numbers(self):
        self.assertEqual([plot.grid_step(longest) for longest in (4, 12, 41, 60, 130, 260)], [1, 2, 5, 10, 20, 50])


def self_test():
    """The exit code."""
    found = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromName(__name__))
    return 0 if found.wasSuccessful() else 1
