// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace usher::v8_writer_test {

using namespace usher::node;
using namespace std::string_literals;

namespace {

template <typename Write>
std::string written(Write write)
{
    std::string bytes;
    V8Writer writer{bytes};
    write(writer);
    CHECK(bytes.starts_with("\xff\x0d"));
    return bytes.substr(2);
}

} // namespace

TEST_SUITE_BEGIN("v8_writer");

TEST_CASE("values are what V8 writes")
{
    CHECK(written([](auto& writer) { writer.null(); }) == "0");
    CHECK(written([](auto& writer) { writer.boolean(true); }) == "T");
    CHECK(written([](auto& writer) { writer.number(std::int64_t{8123}); }) == "I\xf6\x7e");
    CHECK(written([](auto& writer) { writer.number(std::int64_t{-2'147'483'648}); }) ==
          "I\xff\xff\xff\xff\x0f");
    CHECK(written([](auto& writer) { writer.number(std::int64_t{3'000'000'000}); }) ==
          "N\0\0\0\xc0\x0b\x5a\xe6\x41"s);
    CHECK(written([](auto& writer) { writer.number(1.5); }) == "N\0\0\0\0\0\0\xf8\x3f"s);
    CHECK(written([](auto& writer) { writer.text("hi"); }) == "\"\2hi");
    CHECK(written([](auto& writer) { writer.text("\xe6\x97\xa5\xf0\x9f\x98\x80\xc3\xa9"); }) ==
          "c\x8\xe5\x65\x3d\xd8\x00\xde\xe9\x00"s);
}

TEST_CASE("objects and arrays say how much is in them")
{
    const auto bytes = written([](auto& writer) {
        writer.begin_array();
        writer.begin_object();
        writer.key("a");
        writer.begin_array();
        writer.end_array();
        writer.key("b");
        writer.null();
        writer.end_object();
        writer.boolean(false);
        writer.end_array();
    });
    CHECK(bytes == "A\2o\"\1aA\0$\0\0\"\1b0{\2F$\0\2"s);
}

TEST_SUITE_END();

} // namespace usher::v8_writer_test
