// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/node_for_test.h"
#include "test/kit/filter_fixture.h"

namespace culvert {
namespace {

using Action = mesh::Policy::Action;
using mesh::ConnectionRecord;

// A connection to the workload "cart", as mesh_inbound describes it.
class MeshRbacTest : public testing::Test {
protected:
  MeshRbacTest() {
    FilterFixture::setMesh(&mesh_.node);
    mesh_.add("cart", "10.0.0.2");
    filter_ = std::make_unique<FilterFixture>("mesh_rbac", "");
    ConnectionInfo& info = filter_->info();
    info.request = std::make_unique<net::RequestInfo>();
    info.request->answer = answer_;
    const auto record = ConnectionRecord::leaveWith(info, ConnectionRecord::Direction::kInbound);
    record->known = true;
    record->target = *net::Address::parseIpPort("10.0.0.2:8080");
    record->destination_workload = mesh_.node.localWorkload();
    record_ = record.get();
  }
  ~MeshRbacTest() override { FilterFixture::setMesh(nullptr); }

  mesh::NodeForTest mesh_{"cart"};
  std::shared_ptr<net::ConnectAnswer> answer_ = std::make_shared<net::ConnectAnswer>();
  std::unique_ptr<FilterFixture> filter_;
  const ConnectionRecord* record_ = nullptr;
};

TEST_F(MeshRbacTest, WithoutPoliciesAllComeIn) {
  filter_->open();
  EXPECT_FALSE(filter_->isClosed());
  EXPECT_EQ(filter_->count("allowed"), 1u);
}

TEST_F(MeshRbacTest, WhoIsDeniedIsToldSo) {
  mesh_.addPolicy("nobody", Action::kDeny);
  filter_->open();
  EXPECT_TRUE(filter_->isClosed());
  EXPECT_EQ(answer_->refusal, 401u);
  EXPECT_TRUE(record_->denied);
  EXPECT_EQ(record_->error,
            "connection closed due to policy rejection: explicitly denied by: shop/nobody");
  EXPECT_EQ(filter_->count("denied"), 1u);
}

TEST_F(MeshRbacTest, AChangeEndsWhatIsThere) {
  filter_->open();
  mesh_.addPolicy("nobody", Action::kDeny);
  EXPECT_EQ(mesh_.node.inbound(filter_->loop()).recheck(), 1u);
  EXPECT_TRUE(filter_->isClosed());
  EXPECT_EQ(record_->error, "connection closed due to policy change");
  EXPECT_EQ(filter_->count("closed_by_change"), 1u);
}

TEST_F(MeshRbacTest, WhoHasLeftIsNotAsked) {
  filter_->open();
  filter_->resetFromPeer();
  EXPECT_EQ(mesh_.node.inbound(filter_->loop()).entries(), 0u);
}

TEST_F(MeshRbacTest, WithoutMeshInboundNobodyComesIn) {
  FilterFixture other("mesh_rbac", "");
  other.open();
  EXPECT_TRUE(other.isClosed());
}

} // namespace
} // namespace culvert
