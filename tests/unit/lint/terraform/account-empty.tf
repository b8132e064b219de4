# risks: annotation-no-role medium
# not known: 0

resource "kubernetes_service_account" "app" {
  metadata {
    name      = "app"
    namespace = "prod"
    annotations = {
      "eks.amazonaws.com/role-arn" = ""
    }
  }
}
