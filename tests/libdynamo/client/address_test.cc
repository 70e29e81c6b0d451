#include "libdynamo/base/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libdynamo/base/quote.h"

namespace dynamo {
namespace {

struct Good {
    const char* text;
    const char* host;
    int port;
    const char* canonical;
};
class good_address : public testing::TestWithParam<Good> {};

TEST_P(good_address, is_read_and_written_back) {
    const auto address = parse_address(GetParam().text, 7100);
    ASSERT_TRUE(address) << address.error().message;
    EXPECT_EQ(address->host, GetParam().host);
    EXPECT_EQ(address->port, GetParam().port);
    EXPECT_EQ(to_string(*address), GetParam().canonical);
    EXPECT_EQ(*parse_address(to_string(*address), 1), *address);
}

INSTANTIATE_TEST_SUITE_P(
    forms, good_address,
    testing::Values(Good{"db1", "db1", 7100, "db1:7100"},
                    Good{"db-1.example.org:7200", "db-1.example.org", 7200,
                         "db-1.example.org:7200"},
                    Good{"127.0.0.1", "127.0.0.1", 7100, "127.0.0.1:7100"},
                    Good{"127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"},
                    Good{"*:65535", "*", 65535, "*:65535"}, Good{"::1", "::1", 7100, "[::1]:7100"},
                    Good{"[::1]", "::1", 7100, "[::1]:7100"},
                    Good{"[::1]:7200", "::1", 7200, "[::1]:7200"},
                    Good{"fe80::1%eth0", "fe80::1%eth0", 7100, "[fe80::1%eth0]:7100"}));

class bad_address : public testing::TestWithParam<const char*> {};

TEST_P(bad_address, is_refused_by_name) {
    const auto address = parse_address(GetParam(), 7100);
    ASSERT_FALSE(address);
    EXPECT_EQ(address.error().code, Code::bad_request);
    EXPECT_THAT(address.error().message, testing::HasSubstr(quote(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(forms, bad_address,
                         testing::Values("[%]", "[host]:7100", "", ":7100", "db1:", "db1:65536",
                                         "db1:-1", "db1:+1", "db1:7100x", "db1: 7100", "db 1",
                                         "[::1", "[::1]7100", "[]:7100", "[::1]:", "tcp://db1",
                                         "db1/x", "a\nb", "db1:99999999999999999999"));

TEST(address, has_a_host_as_long_as_a_name_may_be) {
    EXPECT_TRUE(parse_address(std::string(253, 'a'), 7100).has_value());
    const auto longer = parse_address(Bytes(5'000'000, 'a'), 7100);
    ASSERT_FALSE(longer);
    EXPECT_LT(longer.error().message.size(), 300u);
}

}  // namespace
}  // namespace dynamo
