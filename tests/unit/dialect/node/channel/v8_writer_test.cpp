// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::v8_writer_test {

using namespace usher::node;
using namespace std::string_literals;

namespace {

std::string written(std::string_view json)
{
    const auto bytes = v8_of_json(json);
    CHECK(bytes.starts_with("\xff\x0d"));
    return bytes.substr(2);
}

} // namespace

TEST_SUITE_BEGIN("v8_writer");

TEST_CASE("values are what V8 writes")
{
    CHECK(written("null") == "0");
    CHECK(written("true") == "T");
    CHECK(written("false") == "F");
    CHECK(written("8123") == "I\xf6\x7e");
    CHECK(written("-1") == "I\1");
    CHECK(written("-2147483648") == "I\xff\xff\xff\xff\x0f");
    CHECK(written("2147483647") == "I\xfe\xff\xff\xff\x0f");
    CHECK(written("3000000000") == "N\0\0\0\xc0\x0b\x5a\xe6\x41"s);
    CHECK(written("18446744073709551615") == "N\0\0\0\0\0\0\xf0\x43"s);
    CHECK(written("1.5") == "N\0\0\0\0\0\0\xf8\x3f"s);
    CHECK(written("\"hi\"") == "\"\2hi");
}

TEST_CASE("texts that are more than ASCII are what V8 reads")
{
    CHECK(written("\"\xe6\x97\xa5\xf0\x9f\x98\x80\\u00e9\"") ==
          "S\x9\xe6\x97\xa5\xf0\x9f\x98\x80\xc3\xa9");
    CHECK(written("{\"\xc3\xa9\":1}") == "oS\2\xc3\xa9I\2{\1");
}

TEST_CASE("objects and arrays say how much is in them")
{
    CHECK(written(R"([ {"a":[],"b":null}, false ])") == "A\2o\"\1aA\0$\0\0\"\1b0{\2F$\0\2"s);
    CHECK(written("[1,2,[3]]") == "A\3I\2I\4A\1I\6$\0\1$\0\3"s);
    CHECK(written("{}") == "o{\0"s);
}

TEST_SUITE_END();

} // namespace usher::v8_writer_test
