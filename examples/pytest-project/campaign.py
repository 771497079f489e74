"""An app's own code: one account for a campaign, reviewed by a rule."""

from __future__ import annotations

from dataclasses import dataclass

from tokportal import TokPortal


@dataclass
class Campaign:
    """An order for an account with the wanted username."""

    client: TokPortal
    username: str
    bundle_id: str = ""

    def order(self, reference: str) -> None:
        """Order the account, say what it should look like, and publish."""
        wanted = {
            "bundle_type": "account_only",
            "country": "USA",
            "platform": "tiktok",
            "external_ref": reference,
        }
        self.bundle_id = self.client.bundles.create(wanted)["data"]["id"]
        profile = {"username": self.username, "visible_name": "Acme", "biography": "Every day."}
        self.client.bundles.configure_account(self.bundle_id, profile)
        self.client.bundles.publish(self.bundle_id)

    def review(self) -> str:
        """Approve the account if it is as wanted, or send it back; give its status."""
        account = self.client.bundles.get_account(self.bundle_id)["data"]
        if account["status"] != "in_review":
            return str(account["status"])
        if account["deviations"]:
            asked = {"comment": f"Please use the name {self.username}."}
            self.client.bundles.request_account_corrections(self.bundle_id, asked)
            return "pending_corrections"
        self.client.bundles.finalize_account(self.bundle_id)
        return "finalized"
