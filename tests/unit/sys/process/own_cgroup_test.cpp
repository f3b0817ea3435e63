// SPDX-License-Identifier: MIT
#include "common/sys/process/own_cgroup.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <string>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace usher::own_cgroup_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

std::string mount(const std::string& root, const std::string& point)
{
    return "29 1 0:25 / /proc rw - proc proc rw\n"
           "36 35 0:30 " +
           root + " " + point + " rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
}

} // namespace

TEST_SUITE_BEGIN("own_cgroup");

TEST_CASE("the folder is the mount point and what is below the mounted root")
{
    const std::string cgroups = "9:name=systemd:/x\n0::/system.slice/a.service\n";
    CHECK(find_own_cgroup(cgroups, mount("/", "/sys/fs/cgroup")) ==
          "/sys/fs/cgroup/system.slice/a.service");
    CHECK(find_own_cgroup(cgroups, mount("/system.slice", "/cg")) == "/cg/a.service");
    CHECK(find_own_cgroup(cgroups, mount("/system.slice/a.service", "/cg")) == "/cg");
    CHECK(find_own_cgroup("0::/\n", mount("/", "/sys/fs/cgroup")) == "/sys/fs/cgroup");
    CHECK(find_own_cgroup("0::/a\n", mount("/", R"(/my\040mount\134)")) == R"(/my mount\/a)");
}

TEST_CASE("in version 1 the tree is that of the controller")
{
    const std::string cgroups =
        "12:cpuset:/no\n4:cpu,cpuacct:/docker/a\n1:name=systemd:/x\n0::/y\n";
    const auto mounted = [](const std::string& root, const std::string& options) {
        return "30 1 0:26 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
               "31 1 0:27 " +
               root + " /cg/cpu,cpuacct rw shared:9 - cgroup cgroup " + options +
               "\n36 1 0:30 / /cg/unified rw - cgroup2 cgroup2 rw\n";
    };
    CHECK(find_own_cgroup(cgroups, mounted("/", "rw,cpu,cpuacct"), "cpu") ==
          "/cg/cpu,cpuacct/docker/a");
    CHECK(find_own_cgroup(cgroups, mounted("/docker/a", "rw,cpuacct,cpu"), "cpu") ==
          "/cg/cpu,cpuacct");
    CHECK(find_own_cgroup(cgroups, mounted("/", "rw,cpu,cpuacct")) == "/cg/unified/y");
    CHECK(find_own_cgroup(cgroups, mounted("/", "rw,cpuacct"), "cpu").empty());
    CHECK(find_own_cgroup(cgroups, mounted("/docker/b", "rw,cpu"), "cpu").empty());
    CHECK(find_own_cgroup("4:cpuacct:/a\n0::/cpu\n", mounted("/", "rw,cpu"), "cpu").empty());
    for (const char* const bad : {"", ":", "4", "4:cpu", "::"})
        CHECK(find_own_cgroup(bad, mounted("/", "rw,cpu"), "cpu").empty());
}

TEST_CASE("what cannot be seen has no folder")
{
    CHECK(find_own_cgroup("", mount("/", "/cg")).empty());
    CHECK(find_own_cgroup("1:cpu:/a\n", mount("/", "/cg")).empty());
    CHECK(find_own_cgroup("0::/a\n", "").empty());
    CHECK(find_own_cgroup("0::/a\n", "36 35 0:30 / /cg rw - cgroup cgroup rw\n").empty());
    CHECK(find_own_cgroup("0::/a\n", mount("/b", "/cg")).empty());
    CHECK(find_own_cgroup("0::/ab\n", mount("/a", "/cg")).empty());
    CHECK(find_own_cgroup("0::/../x\n", "36 - cgroup2 \n").empty());
}

TEST_CASE("our own is what the kernel says")
{
    const auto folder = own_cgroup();
    if (folder.empty()) {
        MESSAGE("skipped: no cgroups of version 2 here");
        return;
    }
    CHECK(::access((folder + "/cgroup.procs").c_str(), F_OK) == 0);
}

TEST_CASE("systemd's mark delegates; that root may write does not")
{
    const TempDir folder;
    std::ignore = folder.write("cgroup.procs", "");
    CHECK_FALSE(is_delegated(""));
    CHECK_FALSE(is_delegated(folder.path() / "none"));
    CHECK(is_delegated(folder.path()) == (::geteuid() != 0));

    if (::setxattr(folder.path().c_str(), "user.delegate", "1", 1, 0) < 0 &&
        ::setxattr(folder.path().c_str(), "trusted.delegate", "1", 1, 0) < 0) {
        MESSAGE("skipped: no extended attributes here");
        return;
    }
    CHECK(is_delegated(folder.path()));
}

TEST_SUITE_END();

} // namespace usher::own_cgroup_test
