#include "gateway/client_address.h"

#include <algorithm>
#include <set>

#include "gateway_world.h"

namespace rw::gateway {
namespace {

class ClientAddress : public test::GatewayTest {
 protected:
  // Who the client is to a gate that trusts 10.0.0.0/8 and 2001:db8::/32.
  std::string client_of(std::string_view peer, const std::vector<std::string>& lines = {}) {
    peer_ = from(peer);
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (const std::string& one : lines) head += "X-Forwarded-For: " + one + "\r\n";
    return client_in(head + "\r\n");
  }
  std::string client_in(const std::string& head) {
    found_ = &ask(head);
    find_client(*found_, trusted_);
    return std::string(net::endpoint_text(found_->client_ip, found_->client_is_unix).view());
  }
  void trust(std::vector<std::string> networks) { trusted_ = *config::cidr_set::parse(networks); }
  void SetUp() override { trust({"10.0.0.0/8", "2001:db8::/32"}); }

  config::cidr_set trusted_;
  exchange* found_ = nullptr;
};

TEST_F(ClientAddress, AStrangersWordCountsForNothing) {
  EXPECT_EQ(client_of("192.0.2.1", {"1.2.3.4"}), "192.0.2.1");
  EXPECT_FALSE(found_->from_trusted_peer);
  EXPECT_EQ(client_of("2001:db9::1", {"1.2.3.4"}), "2001:db9::1");
  EXPECT_FALSE(found_->from_trusted_peer);
}

TEST_F(ClientAddress, WithNobodyTrustedEvenAPeerThatNamesItselfIsTheClient) {
  trust({});
  EXPECT_EQ(client_of("10.0.0.1", {"10.0.0.1"}), "10.0.0.1");
  EXPECT_FALSE(found_->from_trusted_peer);
}

TEST_F(ClientAddress, ATrustedPeerThatSaysNothingIsTheClient) {
  EXPECT_EQ(client_of("10.0.0.1"), "10.0.0.1");
  EXPECT_TRUE(found_->from_trusted_peer);
  EXPECT_EQ(client_of("10.0.0.1", {""}), "10.0.0.1");
  EXPECT_EQ(client_of("10.0.0.1", {" , ,\t"}), "10.0.0.1");
}

TEST_F(ClientAddress, TheRightMostHopThatIsNotTrustedIsTheClient) {
  EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"6.6.6.6, 1.2.3.4"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"6.6.6.6, 1.2.3.4, 10.9.9.9, 10.0.0.2"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4, 2001:db8::7"}), "1.2.3.4");
  EXPECT_EQ(client_of("2001:db8::1", {"10.0.0.1, 2001:db9::7, 10.0.0.2"}), "2001:db9::7");
}

TEST_F(ClientAddress, WhenAllAreTrustedTheFirstOfThemIsTheClient) {
  EXPECT_EQ(client_of("10.0.0.1", {"10.0.0.4, 10.0.0.3, 10.0.0.2"}), "10.0.0.4");
}

TEST_F(ClientAddress, SeveralLinesAreOneList) {
  EXPECT_EQ(client_of("10.0.0.1", {"6.6.6.6", "1.2.3.4", "10.0.0.2"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4, 10.0.0.3", "10.0.0.2, 10.0.0.2"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"10.0.0.3", "1.2.3.4"}), "1.2.3.4");
  // Other fields may stand between.
  EXPECT_EQ(client_in("GET / HTTP/1.1\r\nx-forwarded-for: 6.6.6.6\r\nHost: a\r\n"
                      "X-FORWARDED-FOR: 1.2.3.4\r\nX-Real-IP: 7.7.7.7\r\n\r\n"),
            "1.2.3.4");
}

TEST_F(ClientAddress, EmptyElementsAndWhiteSpaceMeanNothing) {
  EXPECT_EQ(client_of("10.0.0.1", {" 6.6.6.6 ,, \t1.2.3.4\t , ,10.0.0.2,"}), "1.2.3.4");
}

// Left of it anything may have been written by anybody.
TEST_F(ClientAddress, AHopThatIsNoAddressEndsTheSearch) {
  for (const char* hop : {"unknown", "_hidden", "1.2.3", "1.2.3.4.5", "1.2.3.4 5", "[2001:db9::1",
                          "01.2.3.4", "1.2.3.4;1.2.3.4", "\"1.2.3.4\"", "a:80", ":80"}) {
    EXPECT_EQ(client_of("10.0.0.1", {std::string("1.2.3.4, ") + hop + ", 10.0.0.2"}), "10.0.0.2")
        << hop;
    EXPECT_EQ(client_of("10.0.0.1", {std::string("1.2.3.4, ") + hop}), "10.0.0.1") << hop;
    EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4", hop, "10.0.0.2"}), "10.0.0.2") << hop;
  }
}

TEST_F(ClientAddress, PortsAndBracketsAreNoPartOfAnAddress) {
  EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4:5678"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"[2001:db9::1]:443"}), "2001:db9::1");
  EXPECT_EQ(client_of("10.0.0.1", {"[2001:db9::1]"}), "2001:db9::1");
  EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4, 10.0.0.2:80, [2001:db8::2]:80"}), "1.2.3.4");
}

TEST_F(ClientAddress, AMappedAddressIsTheIPv4OneItStandsFor) {
  EXPECT_EQ(client_of("::ffff:10.0.0.1", {"1.2.3.4"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"::ffff:1.2.3.4"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", {"1.2.3.4, ::FFFF:10.0.0.2"}), "1.2.3.4");
  EXPECT_EQ(client_of("::ffff:192.0.2.1", {"1.2.3.4"}), "192.0.2.1");
}

// It has no address that a network could contain.
TEST_F(ClientAddress, APeerOnAUnixSocketIsNeverTrusted) {
  trust({"0.0.0.0/0", "::/0"});
  peer_ = from_unix();
  EXPECT_EQ(client_in("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"), "unix");
  EXPECT_FALSE(found_->from_trusted_peer);
  EXPECT_TRUE(found_->client_is_unix);
}

TEST_F(ClientAddress, WhomATrustedPeerSpeaksForIsNotOnAUnixSocket) {
  trust({"::/0"});
  EXPECT_EQ(client_of("2001:db8::1", {"1.2.3.4"}), "1.2.3.4");
  EXPECT_FALSE(found_->client_is_unix);
}

class RequestId : public ClientAddress {
 protected:
  std::string id_of(std::string_view peer, const std::vector<std::string>& given) {
    peer_ = from(peer);
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (const std::string& one : given) head += "X-Request-Id: " + one + "\r\n";
    exchange& x = ask(head + "\r\n");
    find_client(x, trusted_);
    find_request_id(x);
    return std::string(x.request_id);
  }
  static bool is_made(const std::string& id) {
    return id.size() == 32 && std::all_of(id.begin(), id.end(), [](char c) {
             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
  }
};

TEST_F(RequestId, IsMadeWhenThereIsNone) {
  EXPECT_TRUE(is_made(id_of("192.0.2.1", {})));
  EXPECT_TRUE(is_made(id_of("10.0.0.1", {})));
}

TEST_F(RequestId, IsNeverTheSame) {
  exchange& x = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::set<std::string> seen;
  for (int i = 0; i < 3000; ++i) {  // many times what is drawn from the kernel in one go
    find_request_id(x);
    seen.emplace(x.request_id);
  }
  EXPECT_EQ(seen.size(), 3000U);
}

TEST_F(RequestId, OfATrustedPeerIsKept) {
  for (const std::string& id :
       {std::string("a"), std::string("7d4f-~!{\"}"), std::string(request_id_bytes_max, 'x')}) {
    EXPECT_EQ(id_of("10.0.0.1", {id}), id);
  }
}

TEST_F(RequestId, OfAStrangerIsReplaced) { EXPECT_TRUE(is_made(id_of("192.0.2.1", {"mine"}))); }

TEST_F(RequestId, ThatIsNotSaneIsReplaced) {
  const std::string long_one(request_id_bytes_max + 1, 'x');
  for (const std::string& id : {std::string(), std::string("two words"), std::string("tab\there"),
                                std::string("\xc3\xa9"), long_one}) {
    EXPECT_TRUE(is_made(id_of("10.0.0.1", {id}))) << id;
  }
}

TEST_F(RequestId, ThatComesTwiceIsReplaced) {
  EXPECT_TRUE(is_made(id_of("10.0.0.1", {"one", "two"})));
  EXPECT_TRUE(is_made(id_of("10.0.0.1", {"one", "one"})));
}

}  // namespace
}  // namespace rw::gateway
