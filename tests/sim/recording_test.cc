#include "tests/sim/recording.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/sim/runner.h"

namespace dynamo::sim {
namespace {

Recording read_back(const std::string& text) {
    std::istringstream in(text);
    Recording recording;
    EXPECT_EQ(from_text(in, recording), "");
    return recording;
}

std::string wrong_with(const std::string& text) {
    std::istringstream in(text);
    Recording recording;
    return from_text(in, recording);
}

TEST(recording, is_the_same_run_when_it_is_read_back) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const sim::Setup setup = setup_of(seed, Mutant::none);
        const Plan plan = plan_of(setup);
        const Recording back = read_back(to_text({setup, plan, {}}));
        EXPECT_EQ(run(back.setup, back.plan).trace_hash, run(setup, plan).trace_hash) << seed;
    }
}

TEST(recording, names_what_is_planted_and_what_it_violates) {
    const sim::Setup setup = setup_of(3, Mutant::context_drops_all);
    const Recording back = read_back(to_text({setup, plan_of(setup), rule::exact}));
    EXPECT_EQ(back.setup.mutant, Mutant::context_drops_all);
    EXPECT_EQ(back.violates, rule::exact);
}

TEST(recording, says_what_it_does_not_understand_and_where) {
    EXPECT_EQ(wrong_with("run seed=1\n\nstrike fault=thunder\n"),
              "3: not understood: fault=thunder");
    EXPECT_EQ(wrong_with("run colour=blue\n"), "1: there is no field colour=blue");
    EXPECT_EQ(wrong_with("operation at=5\n"), "1: not understood: at=5");
    EXPECT_EQ(wrong_with("faults kill,thunder\n"), "1: there is no fault thunder");
    EXPECT_EQ(wrong_with("sing\n"), "1: not understood: sing");
}

}  // namespace
}  // namespace dynamo::sim
