// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>

namespace usher::closing_test {

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("closing");

TEST_CASE("a connection that its worker closes ends for the client at once: nobody else holds it")
{
    UsherProcess usher{
        {"run", "--listen", "127.0.0.1:0", "--workers", "2", "--", accept_only_worker_program()}};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    const auto before = descriptors_of(usher.pid()).size();

    for (int i = 0; i < 100; ++i) {
        HttpClient client{port}; // the worker calls close(), never shutdown()
        CHECK(client.sees_end(10s));
    }
    CHECK(descriptors_of(usher.pid()).size() == before);
}

TEST_CASE("an HTTP/1.0 answer, which ends with the connection, ends at once")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);

    for (int i = 0; i < 20; ++i) {
        HttpClient client{usher.port()};
        client.send("GET / HTTP/1.0\r\n\r\n");
        CHECK(client.read_answer().body == "Hello, World!\n");
        CHECK(client.sees_end(10s));
    }
}

TEST_CASE("a client that closes is seen by its worker at once")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    const auto idle = descriptors_of(worker).size();

    HttpClient client{usher.port()};
    client.send_get("/", false);
    CHECK(client.read_answer().ok());
    CHECK(descriptors_of(worker).size() == idle + 1);
    client.close();
    CHECK(eventually([&] { return descriptors_of(worker).size() == idle; }));
}

TEST_SUITE_END();

} // namespace usher::closing_test
