// SPDX-License-Identifier: MIT
#include "balancer/config/env_file.hpp"

#include "balancer/config/json/config_error.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <string_view>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::env_file_test {

namespace {

using Variables = std::map<std::string, std::string>;

Variables parsed(std::string_view text)
{
    return parse_env_file(text, "f");
}

/// The value of A in a file of one line.
std::string value_of(std::string_view line)
{
    const auto variables = parsed(line);
    REQUIRE(variables.size() == 1);
    return variables.at("A");
}

std::string error_of(std::string_view text)
{
    try {
        static_cast<void>(parsed(text));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

std::string read_error(const std::string& file)
{
    try {
        static_cast<void>(read_env_files({file}));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

struct Folder {
    std::string name = "/tmp/usher-env-file-test-XXXXXX";

    Folder() { REQUIRE(::mkdtemp(name.data()) != nullptr); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder()
    {
        for (const char* const file : {"/a", "/b", "/fifo"})
            ::unlink((name + file).c_str());
        ::rmdir(name.c_str());
    }

    [[nodiscard]] std::string write(const std::string& file, std::string_view text) const
    {
        std::ofstream{name + file, std::ios::binary} << text;
        return name + file;
    }
};

} // namespace

TEST_SUITE_BEGIN("env_file");

TEST_CASE("lines are variables; blank ones and comments are passed over")
{
    CHECK(parsed("").empty());
    CHECK(parsed("\n  \n# A=1\n\t# B=2\r\n\r\n").empty());
    CHECK(parsed("A=1\nB_2=x=y\r\n\texport C=3 \n\xc3\xa4.b-c=4") ==
          Variables{{"A", "1"}, {"B_2", "x=y"}, {"C", "3"}, {"\xc3\xa4.b-c", "4"}});
    CHECK(parsed("\xef\xbb\xbf"
                 "A=1") == Variables{{"A", "1"}});
    CHECK(parsed("export=1\nexported=2") == Variables{{"export", "1"}, {"exported", "2"}});
}

TEST_CASE("of two lines of one name the later wins")
{
    CHECK(parsed("A=1\nA=2") == Variables{{"A", "2"}});
}

TEST_CASE("a value without quotes is taken as it stands")
{
    CHECK(value_of("A=") == "");
    CHECK(value_of("A= \t") == "");
    CHECK(value_of("A=  a b\t c  ") == "a b\t c");
    CHECK(value_of(R"(A=C:\new $HOME ${HOME} `id` "x" 'y')") ==
          R"(C:\new $HOME ${HOME} `id` "x" 'y')");
    CHECK(value_of("A=a#b") == "a#b");
    CHECK(value_of("A=a #b") == "a");
    CHECK(value_of("A=#b") == "");
    CHECK(value_of("A=a\r\n") == "a");
    CHECK(value_of("A=$$ ${slot}") == "$$ ${slot}");
}

TEST_CASE("in single quotes everything stands for itself")
{
    CHECK(value_of("A=' a # \"b\" \\n $X '") == " a # \"b\" \\n $X ");
    CHECK(value_of("A=''") == "");
    CHECK(value_of("A='a\nb\n'  # why") == "a\nb\n");
}

TEST_CASE("in double quotes a backslash makes special what a shell or C makes so")
{
    CHECK(value_of(R"(A=" a # 'b' ")") == " a # 'b' ");
    CHECK(value_of(R"(A="\n\r\t\"\\\$\`" )") == "\n\r\t\"\\$`");
    CHECK(value_of(R"(A="\d \x \' $X")") == R"(\d \x \' $X)");
    CHECK(value_of("A=\"-----BEGIN\nabc\\\n-----END\"\n") == "-----BEGIN\nabc\\\n-----END");
}

TEST_CASE("what is no variable is refused with its line")
{
    CHECK(error_of("A=1\nPATH") ==
          "f: line 2: has no =; write NAME=value, and a value of several lines in quotes");
    CHECK(error_of("A=-----BEGIN\nMIIEv\n").find("MIIEv") == std::string::npos);
    CHECK(error_of("=1") == "f: line 1: has an empty name; name the variable");
    for (const char* const name : {"A =1", "'A'=1", "export A B=1", "A\r=1"})
        CHECK(error_of(name) == "f: line 1: has a blank or a quote in the name; write NAME=value");
    CHECK(error_of("A='\n\n'\nUSHER_SLOT=1") ==
          "f: line 4: \"USHER_SLOT\": names that begin with USHER_ are reserved; choose another "
          "name");
    CHECK(error_of(std::string_view{"A=\0", 3}) ==
          "f: line 1: A has a zero byte in its value; remove it");
    CHECK(error_of(std::string_view{"A\0=1", 4}).find("has a zero byte") != std::string::npos);
}

TEST_CASE("quotes that are not closed, and what stands behind them, are refused with their line")
{
    CHECK(error_of("B=\nA='x\ny\n") == "f: line 2: has a ' without a second one; add it");
    CHECK(error_of("A=\"x\\\"\n\n") == "f: line 1: has a \" without a second one; add it");
    const std::string behind =
        "has something behind the closing quote; put all of the value into quotes";
    CHECK(error_of("A='x\n'y") == "f: line 2: " + behind);
    CHECK(error_of("A=\"x\"#y") == "f: line 1: " + behind);
}

TEST_CASE("of several files the last one wins")
{
    const Folder folder;
    const auto a = folder.write("/a", "A=1\nB=1\n");
    const auto b = folder.write("/b", "B=2\nC=2\n");
    CHECK(read_env_files({a, b}) == Variables{{"A", "1"}, {"B", "2"}, {"C", "2"}});
    CHECK(read_env_files({}).empty());
}

TEST_CASE("what cannot be read is named with the reason, and what is no file is not waited for")
{
    const Folder folder;
    CHECK(read_error(folder.name + "/none") ==
          folder.name + "/none: cannot be read: No such file or directory");
    CHECK(read_error(folder.name) == folder.name + ": is no regular file; name one");
    REQUIRE(::mkfifo((folder.name + "/fifo").c_str(), 0600) == 0);
    CHECK(read_error(folder.name + "/fifo") == folder.name + "/fifo: is no regular file; name one");
    CHECK(read_error(folder.write("/a", "A=" + std::string(1024UL * 1024, 'x'))) ==
          folder.name + "/a: is larger than 1024 KiB; make it smaller");
}

TEST_CASE("root takes no file that others can write")
{
    if (::geteuid() != 0) {
        MESSAGE("left out: this takes root");
        return;
    }
    const Folder folder;
    const auto file = folder.write("/a", "A=1");
    REQUIRE(::chmod(file.c_str(), 0606) == 0);
    CHECK(read_error(file).find("others than root") != std::string::npos);
}

TEST_SUITE_END();

} // namespace usher::env_file_test
