// Uses every part of the installed headers that is not inline, so that all layers are linked.
#include <cstdio>

#include "dynamo/admin.h"

int main() {
    auto client = dynamo::Client::open({.seeds = {"127.0.0.1:1"}});
    if (!client) return 1;
    const auto got = client->get("cart:7");
    if (got || got.error().code != dynamo::Code::unreachable) return 1;
    std::printf("%s\n", got.error().message.c_str());
    if (dynamo::RingView::position_of("abc") != "900150983cd24fb0d6963f7d28e17f72") return 1;
    auto admin = dynamo::Admin::open({});
    return admin && dynamo::context_from_text("")->empty() ? 0 : 1;
}
