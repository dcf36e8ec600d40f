ACCESS_TOKEN ?= $(shell cat .token)
DEPLOY_PASSWORD := $(PASSWORD)
