#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/stats/print.h"
#include "cli/stats/prometheus.h"

namespace dynamo::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using Stats = std::map<std::string, double>;

NodeStats node(const std::string& name, Stats stats, int seconds = 0) {
    return {name, std::move(stats),
            std::chrono::steady_clock::time_point{} + std::chrono::seconds(seconds)};
}

bool everything(const std::string&) { return true; }

TEST(stat_kinds, are_told_by_their_names) {
    EXPECT_EQ(kind_of("put.count"), StatKind::counter);
    EXPECT_EQ(kind_of("put.latency.count"), StatKind::counter);
    EXPECT_EQ(kind_of("put.latency.p99_9"), StatKind::quantile);
    EXPECT_EQ(kind_of("put.latency.max"), StatKind::peak);
    EXPECT_EQ(kind_of("hints.held"), StatKind::gauge);
    EXPECT_EQ(kind_of("storage.free_bytes"), StatKind::gauge);
    EXPECT_EQ(kind_of("peers.probes"), StatKind::counter) << "p and letters are no percentile";
}

TEST(stat_changes, are_differences_and_rates) {
    const auto changes = changes_of(node("n1", {{"put.count", 10}, {"hints.held", 5}}),
                                    node("n1", {{"put.count", 30}, {"hints.held", 1}}, 4));
    ASSERT_TRUE(changes);
    EXPECT_FALSE(changes->restarted);
    EXPECT_DOUBLE_EQ(changes->changes.at("put.count").difference, 20);
    EXPECT_DOUBLE_EQ(changes->changes.at("put.count").per_second, 5);
    EXPECT_DOUBLE_EQ(changes->changes.at("hints.held").difference, -4) << "a gauge may fall";
}

TEST(stat_changes, begin_with_the_first_thing_that_is_counted) {
    const auto changes = changes_of(node("n1", {}), node("n1", {{"put.count", 3}}, 1));
    EXPECT_DOUBLE_EQ(changes->changes.at("put.count").difference, 3);
}

TEST(stat_changes, know_a_daemon_that_was_started_again) {
    const Stats before = {{"put.count", 10}, {"get.count", 1}, {"hints.held", 1}};
    for (const Stats& after : {Stats{{"put.count", 2}, {"get.count", 7}, {"hints.held", 0}},
                               Stats{{"get.count", 7}, {"hints.held", 0}}}) {
        const Sample first{0, {node("n1", before)}};
        const Sample second{1000, {node("n1", after, 1)}};
        const Shown shown{&second, &first, everything, false};
        const std::string text = stats_table(shown).text();
        EXPECT_THAT(text, HasSubstr("restarted"));
        EXPECT_THAT(text, Not(HasSubstr("-8")));
        EXPECT_THAT(text, Not(HasSubstr("+6"))) << "nothing is known of any counter";
        const auto object = stats_json(shown);
        EXPECT_TRUE(object["nodes"][0]["restarted"]);
        EXPECT_FALSE(object["nodes"][0]["delta"].contains("get.count"));
        EXPECT_TRUE(object["nodes"][0]["delta"].contains("hints.held"));
    }
}

TEST(stat_changes, need_both_samples_of_a_node) {
    NodeStats silent = node("n1", {});
    silent.stats = fail(Code::unreachable, "gone");
    EXPECT_FALSE(changes_of(silent, node("n1", {{"put.count", 1}}, 1)));
    EXPECT_FALSE(changes_of(node("n1", {{"put.count", 1}}), silent));
}

TEST(prometheus, says_types_units_and_quantiles) {
    const Sample sample{0,
                        {node("n1", {{"put.count", 3},
                                     {"put.latency.count", 3},
                                     {"put.latency.p50", 250},
                                     {"put.latency.p99_9", 1500000},
                                     {"put.latency.max", 2000000},
                                     {"clients.bytes_in", 7},
                                     {"hints.held", 2}})}};
    const std::string text = prometheus_of(sample, everything);
    EXPECT_THAT(text,
                HasSubstr("# TYPE dynamo_put_total counter\ndynamo_put_total{node=\"n1\"} 3"));
    EXPECT_THAT(text, HasSubstr("# TYPE dynamo_put_latency_seconds summary\n"));
    EXPECT_THAT(text,
                HasSubstr("dynamo_put_latency_seconds{node=\"n1\",quantile=\"0.5\"} 0.00025\n"));
    EXPECT_THAT(text,
                HasSubstr("dynamo_put_latency_seconds{node=\"n1\",quantile=\"0.999\"} 1.5\n"));
    EXPECT_THAT(text, HasSubstr("dynamo_put_latency_seconds_count{node=\"n1\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("dynamo_put_latency_max_seconds{node=\"n1\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("dynamo_clients_in_bytes_total{node=\"n1\"} 7\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE dynamo_hints_held gauge\n"));
}

TEST(prometheus, escapes_labels_and_says_who_is_down) {
    NodeStats silent = node("a\"b\\c\nd", {});
    silent.stats = fail(Code::unreachable, "gone");
    const std::string text = prometheus_of(Sample{0, {silent}}, everything);
    EXPECT_THAT(text, HasSubstr("dynamo_up{node=\"a\\\"b\\\\c\\nd\"} 0\n"));
}

}  // namespace
}  // namespace dynamo::cli
