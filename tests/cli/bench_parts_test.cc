#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <sstream>

#include "cli/bench/ledger.h"
#include "cli/bench/options.h"
#include "cli/bench/report.h"
#include "cli/bench/slo.h"
#include "cli/bench/verification.h"
#include "cli/bench/workload.h"
#include "cli/common/parse.h"

namespace dynamo::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ------------------------------------------------------------------------------------- key chooser

std::vector<double> shares_of(const KeyChooser& chooser, std::uint64_t keys, int draws) {
    Dice dice(42);
    std::vector<double> shares(keys, 0);
    for (int i = 0; i < draws; ++i) {
        const std::uint64_t key = chooser.next(dice);
        if (key >= keys) {
            ADD_FAILURE() << key << " is no key";
            return shares;
        }
        shares[key] += 1.0 / draws;
    }
    return shares;
}

class Zipf : public testing::TestWithParam<double> {};

TEST_P(Zipf, chooses_each_key_as_often_as_its_rank_says) {
    const double theta = GetParam();
    constexpr std::uint64_t keys = 1000;
    constexpr int draws = 400'000;
    const auto shares = shares_of(KeyChooser::zipf(keys, theta), keys, draws);
    double sum = 0;
    for (std::uint64_t rank = 1; rank <= keys; ++rank) {
        sum += std::pow(static_cast<double>(rank), -theta);
    }
    for (const std::uint64_t rank : {1, 2, 3, 10, 100, 1000}) {
        const double expected = std::pow(static_cast<double>(rank), -theta) / sum;
        const double deviation = std::sqrt(expected * (1 - expected) / draws);
        EXPECT_NEAR(shares[rank - 1], expected, 5 * deviation) << rank;
    }
}

INSTANTIATE_TEST_SUITE_P(workload, Zipf, testing::Values(0.5, 0.99, 1.0, 2.0));

TEST(workload, zipf_does_with_one_key_and_with_very_many) {
    Dice dice(1);
    EXPECT_EQ(KeyChooser::zipf(1, 0.99).next(dice), 0U);
    const auto many = KeyChooser::zipf(1'000'000'000, 0.99);
    std::uint64_t largest = 0;
    for (int i = 0; i < 10'000; ++i) {
        largest = std::max(largest, many.next(dice));
    }
    EXPECT_LT(largest, 1'000'000'000U);
    EXPECT_GT(largest, 100'000'000U);
}

TEST(workload, uniform_chooses_all_keys_alike) {
    const auto shares = shares_of(KeyChooser::uniform(10), 10, 100'000);
    for (const double share : shares) {
        EXPECT_NEAR(share, 0.1, 0.005);
    }
}

TEST(workload, the_same_seed_chooses_the_same_keys) {
    const auto chooser = KeyChooser::zipf(1000, 0.99);
    Dice one(7);
    Dice other(7);
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(chooser.next(one), chooser.next(other));
    }
}

// ------------------------------------------------------------------------------------------ values

TEST(values, tell_which_write_they_are_of) {
    const Values values({100, 4096});
    Dice dice(3);
    std::set<std::size_t> sizes;
    for (std::uint64_t number = 1; number <= 100; ++number) {
        const std::string value = values.make({77, number, 5}, dice);
        const auto stamp = values.read(value);
        ASSERT_TRUE(stamp);
        EXPECT_EQ(stamp->run, 77U);
        EXPECT_EQ(stamp->number, number);
        EXPECT_EQ(stamp->key, 5U);
        EXPECT_GE(value.size(), 100U);
        EXPECT_LE(value.size(), 4096U);
        sizes.insert(value.size());
    }
    EXPECT_GT(sizes.size(), 50U);
}

TEST(values, show_every_octet_that_is_damaged) {
    const Values values({64, 64});
    Dice dice(3);
    const std::string value = values.make({77, 1, 5}, dice);
    for (std::size_t at = 0; at < value.size(); ++at) {
        std::string damaged = value;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        EXPECT_FALSE(values.read(damaged)) << at;
    }
    EXPECT_FALSE(values.read(value.substr(0, 63)));
    EXPECT_FALSE(values.read(value + "x"));
    EXPECT_FALSE(values.read(""));
}

TEST(values, of_another_run_with_other_sizes_are_read_as_well) {
    const Values writer({200'000, 200'000});
    const Values reader({64, 64});
    Dice dice(3);
    EXPECT_TRUE(reader.read(writer.make({77, 1, 5}, dice)));
}

TEST(values, smaller_than_the_header_have_none) {
    const Values values({10, 10});
    Dice dice(3);
    const std::string value = values.make({77, 1, 5}, dice);
    EXPECT_EQ(value.size(), 10U);
    EXPECT_FALSE(values.read(value));
}

// ----------------------------------------------------------------------------------------- targets

/// 1000 gets of 1 ms to 1000 ms, 10 failed; 10 puts of 5 s.
Tally some_tally() {
    Tally tally;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        tally.gets.latency.record(i * 1'000'000);
    }
    for (int i = 0; i < 10; ++i) {
        tally.gets.fail(Error{Code::busy, "busy"});
        tally.puts.latency.record(5'000'000'000);
    }
    return tally;
}

bool met(const std::string& text) {
    const auto slo = Slo::from_text(text);
    if (!slo) {
        ADD_FAILURE() << slo.error().message;
        return false;
    }
    return slo->met(some_tally(), 10);
}

TEST(slo, compares_percentiles_with_times) {
    EXPECT_TRUE(met("get.p50<510ms"));
    EXPECT_FALSE(met("get.p50<490ms"));
    EXPECT_TRUE(met("get.p99.9<1.1s"));
    EXPECT_FALSE(met("get.max<1000000us"));
    EXPECT_TRUE(met("get.max<=1000000000ns"));
    EXPECT_TRUE(met("put.p1>4.9s"));
    EXPECT_FALSE(met("max<5s"));
    EXPECT_TRUE(met("put.mean>=5s"));
}

TEST(slo, compares_errors_and_rates) {
    EXPECT_TRUE(met("errors<11"));
    EXPECT_FALSE(met("errors<10"));
    EXPECT_TRUE(met("errors<1%")) << "10 of 1020";
    EXPECT_FALSE(met("errors<0.9%"));
    EXPECT_TRUE(met("put.errors<=0"));
    EXPECT_TRUE(met("ops>100"));
    EXPECT_FALSE(met("ops>101"));
    EXPECT_TRUE(met("put.ops>=1"));
}

TEST(slo, is_missed_when_nothing_succeeded) {
    const auto slo = Slo::from_text("p99<1s");
    ASSERT_TRUE(slo);
    EXPECT_FALSE(slo->met({}, 10));
}

TEST(slo, says_what_was_measured_instead) {
    const auto slo = Slo::from_text("put.p50<1s");
    ASSERT_TRUE(slo);
    EXPECT_EQ(slo->missed_text(some_tally(), 10), "put.p50<1s: 5000.000 ms");
}

TEST(slo, says_what_is_wrong_with_one) {
    for (const char* text :
         {"", "p99", "p99<", "p99<5", "p99<5parsec", "p101<5ms", "q99<5ms", "<5ms", "p<5ms",
          "errors<5ms", "ops>1%", "p99=5ms", "p99<-5ms", "p99<<5ms", "p99<5..1ms", "get.<5ms"}) {
        const auto slo = Slo::from_text(text);
        ASSERT_FALSE(slo) << text;
        EXPECT_EQ(slo.error().code, Code::bad_request);
        EXPECT_THAT(slo.error().message, HasSubstr("write p99.9<300ms"));
    }
}

TEST(slo, may_be_given_several_times) {
    App app("dyn-bench", "");
    BenchOptions options;
    options.declare_outcome(app);
    ASSERT_TRUE(parse(app, {"--slo", "p99<1s", "--slo=errors<1%"}));
    ASSERT_EQ(options.targets.size(), 2U);
    EXPECT_EQ(options.targets[0].text(), "p99<1s");
    EXPECT_EQ(options.targets[1].text(), "errors<1%");
}

// ------------------------------------------------------------------------------------------ report

TEST(report, writes_percentiles_as_hdr_histogram_does) {
    Histogram latency;
    for (std::uint64_t i = 1; i <= 10'000; ++i) {
        latency.record(i * 1000);
    }
    std::istringstream lines(hgrm_of(latency));
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
    std::getline(lines, line);
    EXPECT_EQ(line, "");
    double before = -1;
    double level_before = -1;
    std::uint64_t rows = 0;
    double level = 0;
    while (std::getline(lines, line) && !line.starts_with("#")) {
        std::istringstream row(line);
        double value = 0;
        std::uint64_t count = 0;
        ASSERT_TRUE(row >> value >> level >> count) << line;
        EXPECT_GE(value, before);
        EXPECT_GT(level, level_before);
        EXPECT_GE(static_cast<double>(count), level * 10'000 - 1);
        EXPECT_NEAR(value, level * 10, 0.1);
        before = value;
        level_before = level;
        double inverse = 0;
        if (row >> inverse) {
            EXPECT_NEAR(inverse, 1 / (1 - level), 0.01 * inverse + 0.01);
        } else {
            EXPECT_EQ(level, 1.0) << "only the last row has no inverse";
        }
        ++rows;
    }
    EXPECT_EQ(level, 1.0);
    EXPECT_EQ(before, 10.0);
    EXPECT_GT(rows, 40U);
    EXPECT_THAT(line, HasSubstr("#[Mean    =        5.0"));
    std::getline(lines, line);
    EXPECT_THAT(line, HasSubstr("Total count    =        10000"));
}

TEST(report, writes_no_rows_of_an_empty_histogram) {
    EXPECT_THAT(hgrm_of({}), HasSubstr("Percentile)\n\n#[Mean"));
}

TEST(report, gives_latencies_three_digits_and_a_unit) {
    EXPECT_EQ(latency_text(412'345), "0.412 ms");
    EXPECT_EQ(latency_text(4'123'450), "4.12 ms");
    EXPECT_EQ(latency_text(41'234'500), "41.2 ms");
    EXPECT_EQ(latency_text(412'345'000), "412 ms");
    EXPECT_EQ(latency_text(4'123'450'000), "4.12 s");
}

// ------------------------------------------------------------------------------------------ ledger

struct Event {
    std::uint64_t number;
    std::int64_t begin;
    std::int64_t end;
    PutMode mode = PutMode::observe;
    Ending ending = Ending::acknowledged;
    std::vector<std::uint64_t> covered = {};
};

/// A ledger of one key, number 0; the events come in the order of their ends.
void record(Ledger& ledger, const std::vector<Event>& events) {
    for (const Event& event : events) {
        ledger.begin(0, {event.number, event.begin, event.mode, event.covered});
    }
    for (const Event& event : events) {
        ledger.end(0, event.number, event.ending, event.end);
    }
}

std::vector<std::uint64_t> lost(const Ledger& ledger, const std::vector<std::uint64_t>& readable) {
    auto numbers = ledger.judge(0, readable).lost;
    std::ranges::sort(numbers);
    return numbers;
}

TEST(ledger, misses_a_write_that_is_not_there) {
    Ledger ledger;
    record(ledger, {{1, 0, 10}});
    EXPECT_THAT(lost(ledger, {1}), IsEmpty());
    EXPECT_THAT(lost(ledger, {}), ElementsAre(1));
    EXPECT_EQ(ledger.acknowledged(), 1U);
}

TEST(ledger, misses_a_write_when_only_an_older_one_is_there) {
    Ledger ledger;
    record(ledger, {{1, 0, 10}, {2, 20, 30}});
    EXPECT_THAT(lost(ledger, {2}), IsEmpty());
    EXPECT_THAT(lost(ledger, {1}), ElementsAre(2));
}

TEST(ledger, allows_either_of_two_observing_puts_that_overlap) {
    Ledger ledger;
    record(ledger, {{1, 0, 20}, {2, 10, 30}});
    EXPECT_THAT(lost(ledger, {1}), IsEmpty());
    EXPECT_THAT(lost(ledger, {2}), IsEmpty());
    EXPECT_THAT(lost(ledger, {1, 2}), IsEmpty());
    EXPECT_THAT(lost(ledger, {}), ElementsAre(1, 2));
}

TEST(ledger, does_not_let_a_chain_reach_back_in_time) {
    Ledger ledger;
    // 2 overlaps both, but 1 had ended before 3 began.
    record(ledger, {{1, 0, 10}, {3, 20, 30}, {2, 5, 40}});
    EXPECT_THAT(lost(ledger, {1}), Contains(3));
    EXPECT_THAT(lost(ledger, {2}), IsEmpty());
}

TEST(ledger, excuses_nothing_by_a_blind_put) {
    Ledger ledger;
    record(ledger, {{1, 0, 10, PutMode::blind}, {2, 20, 30, PutMode::blind}});
    EXPECT_THAT(lost(ledger, {1, 2}), IsEmpty());
    EXPECT_THAT(lost(ledger, {2}), ElementsAre(1));
}

TEST(ledger, excuses_by_a_context_put_only_what_it_covered) {
    Ledger ledger;
    const auto context = PutMode::context;
    const auto acknowledged = Ending::acknowledged;
    record(ledger, {{1, 0, 10},
                    {2, 20, 30, context, acknowledged, {1}},
                    {3, 21, 31, context, acknowledged, {1}},
                    {4, 40, 50, context, acknowledged, {2}}});
    EXPECT_THAT(lost(ledger, {3, 4}), IsEmpty());
    EXPECT_THAT(lost(ledger, {4}), ElementsAre(3)) << "4 had not seen 3";
    EXPECT_THAT(lost(ledger, {3}), ElementsAre(4));
}

TEST(ledger, takes_an_unknown_write_either_way) {
    Ledger ledger;
    record(ledger, {{1, 0, 10}, {2, 20, 30, PutMode::observe, Ending::unknown}});
    EXPECT_THAT(lost(ledger, {1}), IsEmpty());
    EXPECT_THAT(lost(ledger, {2}), IsEmpty());
    EXPECT_THAT(lost(ledger, {}), ElementsAre(1));
}

TEST(ledger, follows_what_an_unknown_write_covered) {
    Ledger ledger;
    const auto context = PutMode::context;
    record(ledger, {{1, 0, 10},
                    {2, 20, 30, context, Ending::unknown, {1}},
                    {3, 40, 50, context, Ending::unknown, {2}}});
    EXPECT_THAT(lost(ledger, {3}), IsEmpty());
    EXPECT_THAT(lost(ledger, {}), ElementsAre(1));
}

TEST(ledger, an_unknown_write_may_arrive_after_all_others) {
    Ledger ledger;
    record(ledger, {{1, 0, 10, PutMode::observe, Ending::unknown}, {2, 20, 30}});
    EXPECT_THAT(lost(ledger, {1}), IsEmpty());
}

TEST(ledger, tells_a_write_that_was_refused_and_is_there) {
    Ledger ledger;
    record(ledger, {{1, 0, 10}, {2, 20, 30, PutMode::observe, Ending::refused}});
    EXPECT_TRUE(ledger.judge(0, std::vector<std::uint64_t>{1}).good());
    const Verdict verdict = ledger.judge(0, std::vector<std::uint64_t>{1, 2});
    EXPECT_THAT(verdict.phantom, ElementsAre(2));
    EXPECT_THAT(lost(ledger, {2}), ElementsAre(1)) << "it supersedes nothing";
}

TEST(ledger, forgets_what_later_writes_stand_for) {
    Ledger ledger;
    for (std::uint64_t number = 1; number <= 1000; ++number) {
        const auto begin = static_cast<std::int64_t>(number) * 10;
        record(ledger, {{number, begin, begin + 5}});
    }
    EXPECT_EQ(ledger.remembered(0), 1U);
    EXPECT_THAT(lost(ledger, {999}), ElementsAre(1000));
    Ledger contexts;
    record(contexts, {{1, 0, 5}});
    for (std::uint64_t number = 2; number <= 1000; ++number) {
        const auto begin = static_cast<std::int64_t>(number) * 10;
        record(contexts,
               {{number, begin, begin + 5, PutMode::context, Ending::acknowledged, {number - 1}}});
    }
    EXPECT_EQ(contexts.remembered(0), 1U);
    EXPECT_THAT(lost(contexts, {999}), ElementsAre(1000));
}

TEST(ledger, knows_a_write_that_was_superseded_before_its_answer_came) {
    Ledger ledger;
    ledger.begin(0, {1, 0, PutMode::observe, {}});
    ledger.begin(0, {2, 10, PutMode::context, {1}});
    ledger.end(0, 2, Ending::acknowledged, 20);
    ledger.end(0, 1, Ending::acknowledged, 30);
    EXPECT_THAT(lost(ledger, {2}), IsEmpty());
    EXPECT_EQ(ledger.acknowledged(), 2U);
}

// ------------------------------------------------------------------------------------ verification

constexpr std::uint64_t this_run = 77;

/// Answers with what a store holds: key to numbers of writes.
class FakeStore {
  public:
    std::map<std::uint64_t, std::vector<Result<Got>>> answers;  ///< one a read; the last stays
    std::size_t reads = 0;

    [[nodiscard]] ReadKeys reader() {
        return [this](std::span<const std::uint64_t> keys, const OnRead& on_read) {
            for (const std::uint64_t key : keys) {
                ++reads;
                auto& waiting = answers.at(key);
                const Result<Got> answer = waiting.front();
                if (waiting.size() > 1) {
                    waiting.erase(waiting.begin());
                }
                on_read(key, answer);
            }
        };
    }
};

Got got(const Values& values, std::uint64_t key, const std::vector<std::uint64_t>& numbers) {
    Dice dice(1);
    Got answer;
    for (const std::uint64_t number : numbers) {
        answer.versions.push_back({.value = values.make({this_run, number, key}, dice)});
    }
    return answer;
}

struct Checked : testing::Test {
    Values values{{64, 64}};
    Ledger ledger;
    FakeStore store;

    void SetUp() override {
        for (const std::uint64_t key : {3, 5, 8}) {
            ledger.begin(key, {key * 10, 0, PutMode::observe, {}});
            ledger.end(key, key * 10, Ending::acknowledged, 10);
            store.answers[key] = {got(values, key, {key * 10})};
        }
    }
    Verification run(std::chrono::milliseconds patience) {
        return verify(ledger, values, this_run, store.reader(), patience);
    }
};

TEST_F(Checked, finds_nothing_where_all_is_there) {
    const Verification found = run(std::chrono::hours(1));
    EXPECT_FALSE(found.broken());
    EXPECT_EQ(found.keys, 3U);
    EXPECT_EQ(found.acknowledged, 3U);
    EXPECT_EQ(found.late, 0U);
    EXPECT_EQ(store.reads, 3U);
}

TEST_F(Checked, finds_a_lost_write) {
    store.answers[5] = {got(values, 5, {})};
    const Verification found = run(std::chrono::milliseconds(0));
    EXPECT_TRUE(found.broken());
    EXPECT_THAT(found.lost, ElementsAre(5));
}

TEST_F(Checked, finds_a_write_of_another_run_in_place_of_a_lost_one) {
    Dice dice(1);
    Got other;
    other.versions.push_back({.value = values.make({this_run + 1, 50, 5}, dice)});
    store.answers[5] = {other};
    EXPECT_THAT(run(std::chrono::milliseconds(0)).lost, ElementsAre(5));
}

TEST_F(Checked, waits_for_a_write_that_hides) {
    store.answers[5] = {got(values, 5, {}), fail(Code::timed_out, "silence"), got(values, 5, {50})};
    const Verification found = run(std::chrono::hours(1));
    EXPECT_FALSE(found.broken());
    EXPECT_EQ(found.late, 1U);
    EXPECT_TRUE(found.unread.empty());
    EXPECT_EQ(store.reads, 5U) << "only the missing one is read again";
}

TEST_F(Checked, finds_a_damaged_value_and_one_under_another_key) {
    Got damaged = got(values, 5, {50});
    damaged.versions[0].value[40] ^= 1;
    store.answers[5] = {damaged};
    store.answers[8] = {got(values, 3, {80})};
    const Verification found = run(std::chrono::milliseconds(0));
    EXPECT_THAT(found.damaged, ElementsAre(5, 8));
    EXPECT_THAT(found.lost, ElementsAre(5, 8));
}

TEST_F(Checked, tells_keys_that_could_not_be_read) {
    store.answers[8] = {fail(Code::timed_out, "silence")};
    const Verification found = run(std::chrono::milliseconds(0));
    EXPECT_FALSE(found.broken());
    EXPECT_THAT(found.unread, ElementsAre(8));
    ASSERT_TRUE(found.unread_error);
    EXPECT_EQ(found.unread_error->code, Code::timed_out);
}

}  // namespace
}  // namespace dynamo::cli
