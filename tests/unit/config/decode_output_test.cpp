// SPDX-License-Identifier: MIT
#include "balancer/config/load.hpp"
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

namespace usher::decode_output_test {

using namespace usher::test;

TEST_SUITE_BEGIN("decode_output");

TEST_CASE("one of two words, or a file with its options")
{
    CHECK(pool_of(R"("output": "stderr")").output == OutputConfig{});
    CHECK(pool_of(R"("output": "inherit")").output.kind == OutputConfig::Kind::inherit);
    CHECK(pool_of(R"("output": {"file": "log"})").output ==
          OutputConfig{.kind = OutputConfig::Kind::file, .file = "log"});
    CHECK(pool_of(R"("output": {"on_full": "drop"})").output ==
          OutputConfig{.on_full = OutputConfig::OnFull::drop});
    CHECK(pool_of(R"("output": {"file": "log", "errors": "e-${slot}", "format": "json"})").output ==
          OutputConfig{.kind = OutputConfig::Kind::file,
                       .format = log::Format::json,
                       .file = "log",
                       .errors = "e-${slot}"});
    CHECK(pool_of(R"("output": {"errors": "e", "max_files": 7})").output ==
          OutputConfig{.errors = "e", .max_files = 7});
    CHECK(pool_of(R"("output": {"file": "/log", "max_size": "2MiB", "max_files": 7,
                                "on_full": "drop", "prefix": false})")
              .output == OutputConfig{.kind = OutputConfig::Kind::file,
                                      .prefix = false,
                                      .file = "/log",
                                      .max_size = 2'097'152,
                                      .max_files = 7,
                                      .on_full = OutputConfig::OnFull::drop});
}

TEST_CASE("what is wrong is said with its place")
{
    CHECK(pool_error(R"("output": "stdout")") ==
          "f: /pools/0/output: is \"stdout\", but must be \"stderr\", \"inherit\" or an object");
    CHECK(pool_error(R"("output": 1)") ==
          "f: /pools/0/output: is 1, but must be \"stderr\", \"inherit\" or an object");
    CHECK(pool_error(R"("output": {"max_files": 7})") ==
          "f: /pools/0/output: has no \"file\"; add one, e.g. \"file\": \"/var/log/api.log\"");
    CHECK(pool_error(R"("output": {"file": ""})") ==
          "f: /pools/0/output/file: is empty, but must name a file, e.g. \"/var/log/api.log\"");
    CHECK(
        pool_error(R"("output": {"file": "a", "max_size": 1023})") ==
        "f: /pools/0/output/max_size: is 1023, but must be a size, e.g. \"10MiB\", or from 1024 to "
        "4294967295");
    CHECK(pool_error(R"("output": {"file": "a", "max_size": "10MB"})") ==
          "f: /pools/0/output/max_size: \"10MB\" is no size: use a whole number with KiB, MiB or "
          "GiB, e.g. 10MiB");
    CHECK(pool_error(R"("output": {"file": "a", "max_files": 0})") ==
          "f: /pools/0/output/max_files: is 0, but must be from 1 to 1000");
    CHECK(pool_error(R"("output": {"file": "a", "on_full": "wait"})") ==
          "f: /pools/0/output/on_full: is \"wait\", but must be \"block\" or \"drop\"");
    CHECK(pool_error(R"("output": {"file": "a", "prefix": 1})") ==
          "f: /pools/0/output/prefix: is 1, but must be true or false");
    CHECK(pool_error(R"("output": {"format": "xml"})") ==
          "f: /pools/0/output/format: is \"xml\", but must be \"text\" or \"json\"");
    CHECK(pool_error(R"("output": {"errors": ""})") ==
          "f: /pools/0/output/errors: is empty, but must name a file, e.g. \"/var/log/api.log\"");
    CHECK(pool_error(R"("output": {"fil": "a"})") ==
          "f: /pools/0/output/fil: unknown key; did you mean \"file\"?");
}

TEST_CASE("what is dumped is read back equal")
{
    for (
        const std::string text :
        {R"("stderr")", R"("inherit")", R"({"on_full": "drop"})", R"({"prefix": false})",
         R"({"file": "a"})", R"({"file": "a", "max_size": 1025})", R"({"format": "json"})",
         R"({"errors": "e"})", R"({"errors": "e", "max_size": 1025})",
         R"({"file": "a", "errors": "e"})",
         R"({"file": "a", "max_size": "1KiB", "max_files": 1, "on_full": "drop", "prefix": false})"}) {
        const Config config{.pools = {pool_of("\"output\": " + text)}};
        CHECK(decode_config(dump_config(config), "f") == config);
    }
}

TEST_SUITE_END();

} // namespace usher::decode_output_test
