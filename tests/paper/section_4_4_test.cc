#include <gtest/gtest.h>

#include <set>
#include <string>

#include "libdynamo/base/hash.h"
#include "libdynamo/version/siblings.h"

namespace dynamo {
namespace {

Actor node(const std::string& name) {
    Actor actor;
    actor.node.octets = digest(name);
    actor.birth = 1;
    return actor;
}

/// "Sx:2 Sy:1": a clock as the paper writes one. One with a cloud would not be the paper's.
std::string written(const Clock& clock) {
    std::string text;
    for (const char* name : {"Sx", "Sy", "Sz"}) {
        const std::uint64_t top = clock.top(node(name));
        if (top == 0) continue;
        Clock whole;
        whole.add(node(name), {1, top});
        EXPECT_TRUE(clock.covers(whole)) << "a gap in " << name;
        text += (text.empty() ? "" : " ") + std::string(name) + ":" + std::to_string(top);
    }
    return text;
}

std::string values(const Object& object) {
    std::multiset<std::string> sorted;
    for (const Sibling* sibling : live_values(object)) sorted.insert(sibling->value);
    std::string text;
    for (const auto& value : sorted) text += (text.empty() ? "" : " ") + value;
    return text;
}

/// A replica that coordinates a write: the next counter of its own, over what the context covers.
Clock write(Object& replica, const std::string& name, const Clock& context,
            const std::string& value) {
    const Dot dot{node(name), replica.clock.top(node(name)) + 1};
    add_version(replica, context, {dot, false, 0, value});
    Clock seen = context;
    seen.add(dot);
    return seen;
}

// Figure 3: "Version evolution of an object over time."
TEST(section_4_4, evolves_versions_as_figure_3_shows) {
    Object sx;
    Object sy;
    Object sz;

    // "A client writes a new object. The node (say Sx) that handles the write for this key
    // increases its sequence number and uses it to create the data's vector clock."
    const Clock d1 = write(sx, "Sx", {}, "D1");
    EXPECT_EQ(written(d1), "Sx:1");

    // "The client updates the object. Assume the same node handles this request as well. D2
    // descends from D1 and therefore over-writes D1."
    const Clock d2 = write(sx, "Sx", d1, "D2");
    EXPECT_EQ(written(d2), "Sx:2");
    EXPECT_EQ(values(sx), "D2");

    // "the same client updates the object again, and a different server (say Sy) handles it."
    (void)merge(sy, sx);
    const Clock d3 = write(sy, "Sy", d2, "D3");
    EXPECT_EQ(written(d3), "Sx:2 Sy:1");
    EXPECT_EQ(values(sy), "D3");

    // "a different client reads D2 and then tries to update it, and another node (say Sz) does
    // the write."
    (void)merge(sz, sx);
    const Clock d4 = write(sz, "Sz", d2, "D4");
    EXPECT_EQ(written(d4), "Sx:2 Sz:1");
    EXPECT_EQ(values(sz), "D4");

    // "A node that is aware of D1 or D2 could determine, upon receiving D4 and its clock, that D1
    // and D2 are overwritten by the new data and can be garbage collected."
    Object knows_d2 = sx;
    (void)merge(knows_d2, sz);
    EXPECT_EQ(values(knows_d2), "D4");

    // "A node that is aware of D3 and receives D4 will find that there is no causal relation
    // between them. Both versions of the data must be kept and presented to a client."
    (void)merge(sy, sz);
    EXPECT_EQ(values(sy), "D3 D4");

    // "the context of the read is a summary of the clocks of D3 and D4, namely [(Sx, 2), (Sy, 1),
    // (Sz, 1)]."
    EXPECT_EQ(written(sy.clock), "Sx:2 Sy:1 Sz:1");

    // "If the client performs the reconciliation and node Sx coordinates the write, Sx will update
    // its sequence number in the clock. The new data D5 will have the following clock: [(Sx, 3),
    // (Sy, 1), (Sz, 1)]."
    const Clock d5 = write(sx, "Sx", sy.clock, "D5");
    EXPECT_EQ(written(d5), "Sx:3 Sy:1 Sz:1");
    for (Object* replica : {&sy, &sz}) {
        (void)merge(*replica, sx);
        EXPECT_EQ(values(*replica), "D5");
        EXPECT_EQ(written(replica->clock), "Sx:3 Sy:1 Sz:1");
    }
}

// "Most of the time, new versions subsume the previous version(s), and the system itself can
// determine the authoritative version (syntactic reconciliation)."
TEST(section_4_4, reconciles_by_itself_when_new_versions_subsume_old_ones) {
    Object replica;
    Clock seen;
    for (int i = 0; i < 20; ++i)
        seen = write(replica, i % 2 == 0 ? "Sx" : "Sy", seen, "v" + std::to_string(i));
    EXPECT_EQ(values(replica), "v19");
    EXPECT_EQ(replica.siblings.size(), 1U);
}

// "an 'add to cart' operation is never lost. However, deleted items can resurface." - so it is when
// carts are merged by the client; the store itself loses neither branch.
TEST(section_4_4, keeps_both_branches_of_a_cart_until_a_client_has_merged_them) {
    Object here;
    const Clock cart = write(here, "Sx", {}, "book");
    Object there = here;
    (void)write(here, "Sx", cart, "book,pen");
    (void)write(there, "Sy", cart, "book,ink");
    (void)merge(here, there);
    EXPECT_EQ(values(here), "book,ink book,pen");
    (void)write(here, "Sx", here.clock, "book,ink,pen");
    (void)merge(there, here);
    EXPECT_EQ(values(there), "book,ink,pen");
}

// Departs from section 4.4, where one counter per node stands for all writes before it: two clients
// that read the same version and write through the same node are both kept.
TEST(section_4_4, keeps_two_writes_of_one_context_through_one_node) {
    Object replica;
    const Clock read = write(replica, "Sx", {}, "D1");
    (void)write(replica, "Sx", read, "ours");
    (void)write(replica, "Sx", read, "theirs");
    EXPECT_EQ(values(replica), "ours theirs");
}

}  // namespace
}  // namespace dynamo
